{{/*
Adds `tls` to the given dict, unless TLS is off: the names of the Secrets and of the certificates, and whether callers show
tokens. Call it as: include "mesh.tls" (list $ $into)
*/}}
{{- define "mesh.tls" -}}
{{- $values := (index . 0).Values -}}
{{- $given := $values.kubernetes.tls | default dict -}}
{{- if and $given.cert_manager (or $given.supervisor_secret $given.worker_secret) -}}
{{- fail "kubernetes.tls: has Secrets and cert_manager; remove one of the two" -}}
{{- end -}}
{{- if or $given.cert_manager $given.supervisor_secret $given.worker_secret -}}
{{- if and (not $given.cert_manager) (not (and $given.supervisor_secret $given.worker_secret)) -}}
{{- fail "kubernetes.tls: names one Secret of two; name supervisor_secret and worker_secret" -}}
{{- end -}}
{{- $names := $values.tls | default dict -}}
{{- $tls := dict "metrics" $given.metrics "tokens" false -}}
{{- $_ := set $tls "supervisor" ($names.supervisor | default (printf "supervisor.%s.mesh" $values.game)) -}}
{{- $_ := set $tls "worker" ($names.worker | default (printf "worker.%s.mesh" $values.game)) -}}
{{- if contains "://" $tls.worker -}}
{{- fail (printf "tls.worker: %s is a URI, but supervisors can check only DNS names; give a DNS name of the certificate" $tls.worker) -}}
{{- end -}}
{{- $_ := set $tls "supervisor_secret" ($given.supervisor_secret | default (printf "%s-supervisor-tls" $values.game)) -}}
{{- $_ := set $tls "worker_secret" ($given.worker_secret | default (printf "%s-worker-tls" $values.game)) -}}
{{- range $values.callers | default dict -}}
{{- if and (kindIs "map" .) .token_sha256 -}}
{{- $_ := set $tls "tokens" true -}}
{{- end -}}
{{- end -}}
{{- $_ := set (index . 1) "tls" $tls -}}
{{- else if $given.metrics -}}
{{- fail "kubernetes.tls: metrics over TLS need a certificate; name the Secrets or set cert_manager" -}}
{{- end -}}
{{- end -}}

{{/* The options of both services. */}}
{{- define "mesh.tls.options" -}}
- --tls-cert=/etc/ensemble-mesh-tls/tls.crt
- --tls-key=/etc/ensemble-mesh-tls/tls.key
- --tls-ca=/etc/ensemble-mesh-tls/ca.crt
{{- if .metrics }}
- --metrics-tls
{{- end }}
{{- end -}}

{{/* A whole folder and no subPath: the kubelet renews its files. Call it as: include "mesh.tls.volume" SECRET */}}
{{- define "mesh.tls.volume" -}}
- name: tls
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end -}}

{{- define "mesh.tls.mount" -}}
- {name: tls, mountPath: /etc/ensemble-mesh-tls, readOnly: true}
{{- end -}}

{{/* Call it as: include "mesh.certificate" (list $ PART NAME SECRET DNS_NAMES) */}}
{{- define "mesh.certificate" -}}
{{- $root := index . 0 -}}
{{- $given := $root.Values.kubernetes.tls.cert_manager -}}
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: {{ $root.Values.game }}-{{ index . 1 }}
  labels:
    {{- include "mesh.game.labels" $root | nindent 4 }}
spec:
  secretName: {{ index . 3 | quote }}
  issuerRef: {name: {{ $given.issuer.name | quote }}, kind: {{ $given.issuer.kind | default "Issuer" | quote }}, group: {{ $given.issuer.group | default "cert-manager.io" | quote }}}
  {{- if contains "://" (index . 2) }}
  uris: [{{ index . 2 | quote }}]
  {{- end }}
  dnsNames:
    {{- if not (contains "://" (index . 2)) }}
    - {{ index . 2 | quote }}
    {{- end }}
    {{- range index . 4 }}
    - {{ . | quote }}
    {{- end }}
  # A service is a server for those that ask it, and a client of those that it asks.
  usages: [digital signature, server auth, client auth]
  privateKey: {algorithm: ECDSA, size: 256, rotationPolicy: Always}
  duration: {{ $given.duration | default "2160h" }}
  renewBefore: {{ $given.renew_before | default "720h" }}
{{- end -}}
