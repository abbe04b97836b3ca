{{/* Headless: a supervisor has a connection of its own to each replica, and chooses itself. */}}
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
    - {name: grpc, port: 9000, targetPort: grpc, appProtocol: kubernetes.io/h2c}
{{- end -}}
