{{/* Fails if the catalog does not say who may ask for offers, or if nobody could. */}}
{{- define "mesh.callers" -}}
{{- $into := dict -}}
{{- include "mesh.tls" (list . $into) -}}
{{- if not .Values.callers -}}
{{- fail "callers: is not set, so every program that reaches the supervisors may ask for offers; name the callers of the game, or write `callers: {anyone: true}`" -}}
{{- end -}}
{{- if not $into.tls -}}
{{- range $name, $caller := .Values.callers -}}
{{- if ne $name "anyone" -}}
{{- fail (printf "callers.%s: cannot be recognised, because certificates and tokens need TLS; set kubernetes.tls, or leave only `anyone: true`" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The weak points of the release, each as a warning, for NOTES.txt. */}}
{{- define "mesh.warnings" -}}
{{- $into := dict -}}
{{- include "mesh.tls" (list . $into) -}}
{{- if hasKey .Values.callers "anyone" }}
WARNING: `callers` has `anyone`: every program that reaches the supervisors may ask for offers. Name the callers instead.
{{- end }}
{{- if not $into.tls }}
WARNING: every connection is plaintext, so no caller can be recognised. Set kubernetes.tls.
{{- end }}
{{- with .Values.kubernetes.network_policies }}
{{- if not .enabled }}
WARNING: kubernetes.network_policies is off: every pod of the cluster can connect to the supervisors and the workers.
{{- else if eq (toString .callers) "anyone" }}
WARNING: kubernetes.network_policies.callers is `anyone`: every pod of the cluster can connect to the supervisors. Name the peers.
{{- end }}
{{- end }}
{{- end -}}
