{{- define "mesh.supervisor.deployment" -}}
{{- $slices := eq .kubernetes.discovery "endpoint_slices" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  labels:
    {{- include "mesh.labels" . | nindent 4 }}
spec:
  # No replicas: the HPA owns them.
  revisionHistoryLimit: 3
  selector:
    matchLabels:
      {{- include "mesh.selector" . | nindent 6 }}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 25%, maxUnavailable: 0}
  template:
    metadata:
      labels:
        {{- include "mesh.pod.labels" . | nindent 8 }}
      {{- /* Nothing of the catalog: the supervisors follow it, and a change restarts no pod. */}}
      {{- with .pod.annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ .name }}
      automountServiceAccountToken: {{ $slices }}
      {{- include "mesh.pod" . | nindent 6 }}
      containers:
        - name: supervisor
          args:
            - --catalog=/etc/ensemble-mesh/mesh.yaml
            - --files=/srv/ensemble-mesh
            {{- range .pod.volumes }}
            - {{ printf "--volume=%s" .mount | quote }}
            {{- end }}
            {{- if $slices }}
            - --endpoint-slices
            - --config-map={{ .game }}-catalog
            {{- else }}
            - --dns=$(POD_NAMESPACE)
            {{- end }}
            - {{ printf "--host=%s" .kubernetes.host | quote }}
            - --port=9000
            - {{ printf "--metrics-host=%s" .kubernetes.host | quote }}
            - --metrics-port=9100
            - --ready-within-s=10
            - --max-connection-age-s=60
            - --drain-s=15
            {{- if .kubernetes.tracing.to }}
            - --trace-to={{ .kubernetes.tracing.to }}
            - --trace-share={{ .kubernetes.tracing.share }}
            {{- end }}
            {{- if ne .kubernetes.log_format "text" }}
            - --log-format={{ .kubernetes.log_format }}
            {{- end }}
            {{- if not .kubernetes.reflection }}
            - --no-reflection
            {{- end }}
            {{- with .tls }}
            {{- include "mesh.tls.options" . | nindent 12 }}
            {{- if .tokens }}
            - --token-port=9001
            {{- end }}
            {{- end }}
          {{- include "mesh.container" . | nindent 10 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
            - {name: catalog, mountPath: /etc/ensemble-mesh, readOnly: true}
            {{- if .tls }}
            {{- include "mesh.tls.mount" . | nindent 12 }}
            {{- end }}
            {{- if .kubernetes.files }}
            - {name: files, mountPath: /srv/ensemble-mesh, readOnly: true}
            {{- end }}
            {{- with include "mesh.pod.mounts" . }}
            {{- . | trim | nindent 12 }}
            {{- end }}
      volumes:
        - name: tmp
          emptyDir: {sizeLimit: {{ .resources.ephemeral_storage | toString | quote }}}
        - name: catalog
          configMap: {name: {{ .game }}-catalog}
        {{- with .tls }}
        {{- include "mesh.tls.volume" .supervisor_secret | nindent 8 }}
        {{- end }}
        {{- with .kubernetes.files }}
        - name: files
          {{- toYaml . | nindent 10 }}
        {{- end }}
        {{- with include "mesh.pod.volumes" . }}
        {{- . | trim | nindent 8 }}
        {{- end }}
{{- end -}}

{{/* The supervisor's part of the catalog: without the keys for the cluster, so that changing these does not change the catalog. */}}
{{- define "mesh.catalog" -}}
{{- $catalog := omit (deepCopy .Values) "image" "engine" "replicas" "resources" "signal" "in_flight" "hpa" "schedule" "pod" "supervisor" "kubernetes" "global" "enabled" -}}
{{- if $catalog.members -}}
{{- $members := list -}}
{{- range $catalog.members -}}
{{- $members = append $members (omit . "image" "engine" "replicas" "resources" "signal" "in_flight" "hpa" "schedule" "pod") -}}
{{- end -}}
{{- $_ := set $catalog "members" $members -}}
{{- end -}}
{{- range $name, $version := $catalog.versions -}}
{{- $models := list -}}
{{- range $version.models -}}
{{- $models = append $models (omit . "image" "engine" "replicas" "resources" "signal" "in_flight" "hpa" "schedule" "pod") -}}
{{- end -}}
{{- $version = omit $version "image" "engine" "replicas" "resources" "signal" "in_flight" "hpa" "schedule" "pod" -}}
{{- $_ := set $version "models" $models -}}
{{- $_ := set $catalog.versions $name $version -}}
{{- end -}}
{{- toYaml $catalog -}}
{{- end -}}
