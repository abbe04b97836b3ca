{{/* A headless Service: clients connect to each pod and balance the load themselves. */}}
{{- define "mesh.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  labels:
    {{- include "mesh.labels" . | nindent 4 }}
spec:
  clusterIP: None
  selector:
    {{- include "mesh.selector" . | nindent 4 }}
  ports:
    - {name: grpc, port: 9000, targetPort: grpc, appProtocol: {{ if .tls }}https{{ else }}kubernetes.io/h2c{{ end }}}
    {{- if and (not .model) (dig "tokens" false (.tls | default dict)) }}
    - {name: tokens, port: 9001, targetPort: tokens, appProtocol: https}
    {{- end }}
{{- end -}}
