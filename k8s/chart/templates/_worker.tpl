{{- define "mesh.model.deployment" -}}
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
      {{- with .pod.annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ .game }}-worker
      automountServiceAccountToken: false
      {{- include "mesh.pod" . | nindent 6 }}
      containers:
        - name: worker
          args:
            - --name={{ .model }}
            - {{ printf "--uri=%s" .uri | quote }}
            {{- with .sha256 }}
            - --sha256={{ . }}
            {{- end }}
            {{- with .categories }}
            - {{ printf "--categories=%s" (join "," .) | quote }}
            {{- end }}
            {{- with .golden }}
            - {{ printf "--golden=%s" . | quote }}
            {{- end }}
            {{- with .golden_sha256 }}
            - --golden-sha256={{ . }}
            {{- end }}
            {{- if ne .engine "auto" }}
            - --engine={{ .engine }}
            {{- end }}
            - {{ printf "--host=%s" .kubernetes.host | quote }}
            - --port=9000
            - --metrics-port=9100
            - --cache=/tmp/models
            - --inputs=/etc/ensemble-mesh/inputs.json
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
            - {{ printf "--tls-supervisor=%s" .supervisor | quote }}
            - {{ printf "--tls-supervisor=verify.%s.mesh" $.game | quote }}  # of `mesh verify`
            {{- end }}
          {{- include "mesh.container" . | nindent 10 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
            - {name: inputs, mountPath: /etc/ensemble-mesh, readOnly: true}
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
        - name: inputs
          configMap: {name: {{ .game }}-inputs, optional: true}
        {{- with .tls }}
        {{- include "mesh.tls.volume" .worker_secret | nindent 8 }}
        {{- end }}
        {{- with .kubernetes.files }}
        - name: files
          {{- toYaml . | nindent 10 }}
        {{- end }}
        {{- with include "mesh.pod.volumes" . }}
        {{- . | trim | nindent 8 }}
        {{- end }}
{{- end -}}
