{{/* The parts of the NetworkPolicies. */}}
{{- define "mesh.network.head" -}}
{{- $root := index . 0 -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ $root.Values.game }}-{{ index . 1 }}
  labels:
    {{- include "mesh.game.labels" $root | nindent 4 }}
{{- end -}}

{{/* The pods of a component. Call it as: include "mesh.network.pods" (list $ COMPONENT) */}}
{{- define "mesh.network.pods" -}}
matchLabels:
  app.kubernetes.io/component: {{ index . 1 }}
  ensemble-mesh/game: {{ (index . 0).Values.game | quote }}
{{- end -}}

{{- define "mesh.network.dns" -}}
- to:
    {{- toYaml .dns | nindent 4 }}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end -}}

{{/*
A rule for the ports outside the mesh. A rule without ports would open all ports, so it is left out if there are none.
Call it as: include "mesh.network.outside" (list $policies CIDRS)
*/}}
{{- define "mesh.network.outside" -}}
{{- with (index . 0).ports -}}
- ports:
    {{- range . }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
  {{- with index $ 1 }}
  to:
    {{- range . }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* Prometheus reads the metrics. The kubelet's probes come from the node of the pod, which policies never block. */}}
{{- define "mesh.network.metrics" -}}
- from:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .Values.kubernetes.monitoring.namespace | quote }}
  ports:
    - {port: metrics}
{{- end -}}
