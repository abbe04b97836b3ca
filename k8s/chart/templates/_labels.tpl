{{/* The labels by which a Deployment, its HPA, Service and disruption budget select pods. No pod matches two Deployments. */}}
{{- define "mesh.selector" -}}
app.kubernetes.io/component: {{ if .model }}model-worker{{ else }}supervisor{{ end }}
ensemble-mesh/game: {{ .game | quote }}
{{- with .model }}
ensemble-mesh/version: {{ $.version | quote }}
ensemble-mesh/model: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "mesh.labels" -}}
app.kubernetes.io/name: ensemble-mesh
{{ include "mesh.selector" . }}
{{- end -}}

{{/* The labels of objects that belong to the whole game. */}}
{{- define "mesh.game.labels" -}}
app.kubernetes.io/name: ensemble-mesh
ensemble-mesh/game: {{ .Values.game | quote }}
{{- end -}}
