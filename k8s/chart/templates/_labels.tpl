{{/* By which a Deployment, an HPA's scale, a Service and a budget choose pods: no pod is chosen by two. */}}
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

{{/* Of what belongs to the game as a whole. */}}
{{- define "mesh.game.labels" -}}
app.kubernetes.io/name: ensemble-mesh
ensemble-mesh/game: {{ .Values.game | quote }}
{{- end -}}
