{{/*
The parts that the pods of both services have in common. Life of a pod: the startup probe waits for the model, the readiness
probe for SERVING. On deletion the endpoint is withdrawn at once; the pod sleeps until every client knows, then drains.
*/}}
{{- define "mesh.pod.security" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "mesh.container.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The time for which a pod keeps serving after its endpoint is withdrawn. */}}
{{- define "mesh.sleep_s" -}}
{{- if not .model }}35{{ else if eq .kubernetes.discovery "dns" }}15{{ else }}5{{ end -}}
{{- end -}}

{{- define "mesh.pod" -}}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ add (include "mesh.sleep_s" .) 25 }}
{{ include "mesh.pod.placement" . }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "mesh.selector" $ | nindent 8 }}
  {{- end }}
{{- end -}}

{{/* Security, image pull secrets, and the nodes on which the pod may run. */}}
{{- define "mesh.pod.placement" -}}
securityContext:
  {{- include "mesh.pod.security" . | nindent 2 }}
{{- with .pod.image_pull_secrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .pod.node_selector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.priority_class }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "mesh.pod.labels" -}}
{{ include "mesh.labels" . }}
{{- with .pod.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The additional volumes, and their mounts. */}}
{{- define "mesh.pod.volumes" -}}
{{- range $name, $volume := .pod.volumes }}
- name: {{ $name | quote }}
  {{- toYaml $volume.source | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "mesh.pod.mounts" -}}
{{- range $name, $volume := .pod.volumes }}
- name: {{ $name | quote }}
  mountPath: {{ $volume.mount | quote }}
  {{- with $volume.sub_path }}
  subPath: {{ . | quote }}
  {{- end }}
  readOnly: {{ ne (toString $volume.read_only) "false" }}
{{- end }}
{{- end -}}

{{/* HTTP on the metrics port, because the kubelet's gRPC probes speak no TLS. Call it as: include "mesh.probe" (list PATH $pod) */}}
{{- define "mesh.probe" -}}
{path: /{{ first . }}, port: metrics{{ if dig "metrics" false ((last .).tls | default dict) }}, scheme: HTTPS{{ end }}}
{{- end -}}

{{/* Environment, ports, probes, lifecycle and resources of the pod's only container. */}}
{{- define "mesh.container" -}}
image: {{ .image | quote }}
imagePullPolicy: IfNotPresent
env:
  - name: POD_NAMESPACE
    valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
  {{- range $name, $value := .pod.env }}
  - name: {{ $name | quote }}
    {{- if kindIs "map" $value }}
    {{- toYaml $value | nindent 4 }}
    {{- else }}
    value: {{ $value | quote }}
    {{- end }}
  {{- end }}
{{- with .kubernetes.secrets }}
envFrom:
  {{- range . }}
  - secretRef: {name: {{ . | quote }}}
  {{- end }}
{{- end }}
ports:
  - {name: grpc, containerPort: 9000}
  {{- if and (not .model) (dig "tokens" false (.tls | default dict)) }}
  - {name: tokens, containerPort: 9001}
  {{- end }}
  - {name: metrics, containerPort: 9100}
startupProbe:
  httpGet: {{ include "mesh.probe" (list "startupz" .) }}
  periodSeconds: 1
  timeoutSeconds: 1
  failureThreshold: {{ .start_s }}
readinessProbe:
  httpGet: {{ include "mesh.probe" (list "readyz" .) }}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 3
# Answered by the event loop: a pod whose loop hangs for half a minute is restarted.
livenessProbe:
  httpGet: {{ include "mesh.probe" (list "healthz" .) }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
lifecycle:
  preStop:
    {{- if .model }}
    # Until every supervisor knows: a watch reports it at once; DNS after the next lookup and the resolver's cache time.
    {{- else }}
    # Until every game backend may look again: gRPC's resolver looks when a connection ends, but not within 30 s of its
    # last look. A backend that looked just before this pod's successor was ready would otherwise know no supervisor.
    {{- end }}
    sleep: {seconds: {{ include "mesh.sleep_s" . }}}
resources:
  requests:
    cpu: {{ .resources.cpu | toString | quote }}
    memory: {{ .resources.memory | toString | quote }}
    ephemeral-storage: {{ .resources.ephemeral_storage | toString | quote }}
  limits:
    {{- with .resources.cpu_limit }}
    cpu: {{ . | toString | quote }}
    {{- end }}
    memory: {{ .resources.memory | toString | quote }}
    ephemeral-storage: {{ .resources.ephemeral_storage | toString | quote }}
securityContext:
  {{- include "mesh.container.security" . | nindent 2 }}
{{- end -}}
