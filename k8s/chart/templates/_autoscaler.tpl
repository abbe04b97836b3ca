{{/* The autoscaler of one Deployment: an HPA, or a ScaledObject from which KEDA creates the HPA. Never both. */}}
{{- define "mesh.autoscaler" -}}
{{- if and (eq .signal "in_flight") .in_flight.keda -}}
{{- include "mesh.scaledobject" . -}}
{{- else -}}
{{- include "mesh.hpa" . -}}
{{- end -}}
{{- end -}}

{{- define "mesh.hpa" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .name }}
  labels:
    {{- include "mesh.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .name }}}
  minReplicas: {{ include "mesh.minimum" . }}
  maxReplicas: {{ int64 .replicas.max }}
  metrics:
    {{- if .hpa.metrics }}
    {{- toYaml .hpa.metrics | nindent 4 }}
    {{- else if eq .signal "in_flight" }}
    - type: External
      external:
        metric:
          name: {{ .in_flight.metric | quote }}
          selector:
            matchLabels:
              game: {{ .game | quote }}
              version: {{ .version | quote }}
              model: {{ .model | quote }}
        target:
          type: AverageValue
          averageValue: {{ .in_flight.rows | toString | quote }}
    {{- else }}
    - type: ContainerResource
      containerResource:
        name: cpu
        container: {{ .container }}
        target:
          type: Utilization
          averageUtilization: {{ int64 .hpa.cpu_percent }}
    {{- end }}
  behavior:
    {{- toYaml .hpa.behavior | nindent 4 }}
{{- end -}}

{{- define "mesh.scaledobject" -}}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ .name }}
  labels:
    {{- include "mesh.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .name }}}
  minReplicaCount: {{ include "mesh.minimum" . }}
  maxReplicaCount: {{ int64 .replicas.max }}
  # While Prometheus does not respond, the number of replicas stays the same.
  fallback: {failureThreshold: 3, replicas: {{ int64 .replicas.min }}, behavior: currentReplicas}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        {{- toYaml .hpa.behavior | nindent 8 }}
  triggers:
    - type: prometheus
      metricType: AverageValue
      metadata:
        serverAddress: {{ .in_flight.keda.prometheus | quote }}
        {{- $labels := printf "namespace=%q,game=%q,version=%q,model=%q" .namespace .game .version .model }}
        query: {{ printf "sum(mesh_rows_waiting{%s}) + sum(mesh_rows_outstanding{%s})" $labels $labels | quote }}
        threshold: {{ .in_flight.rows | toString | quote }}
        # A missing series does not mean a load of 0.
        ignoreNullValues: "false"
      {{- with .in_flight.keda.authentication }}
      authenticationRef: {name: {{ . | quote }}}
      {{- end }}
{{- end -}}
