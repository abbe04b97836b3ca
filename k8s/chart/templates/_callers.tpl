{{/* Fails, with all faults, if the catalog does not say who may ask for offers, or if a caller could not be recognised. */}}
{{- define "mesh.callers" -}}
{{- $into := dict -}}
{{- include "mesh.tls" (list . $into) -}}
{{- $policies := .Values.kubernetes.network_policies -}}
{{- $faults := list -}}
{{- if not .Values.callers -}}
{{- $faults = append $faults "callers: is not set, so every program that reaches the supervisors may ask for offers; name the callers of the game, or write `callers: {anyone: true}`" -}}
{{- end -}}
{{- if not $into.tls -}}
{{- range $name, $caller := .Values.callers -}}
{{- if ne $name "anyone" -}}
{{- $faults = append $faults (printf "callers.%s: cannot be recognised, because certificates and tokens need TLS; set kubernetes.tls, or leave only `anyone: true`" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $policies.enabled (not $policies.callers) -}}
{{- $faults = append $faults "kubernetes.network_policies.callers: is empty; name the NetworkPolicyPeers that may call the supervisors, such as [{podSelector: {matchLabels: {app: backend}}}], or write `callers: anyone`" -}}
{{- end -}}
{{- if and $policies.enabled (not $policies.dns) -}}
{{- $faults = append $faults "kubernetes.network_policies.dns: is empty, and a rule without peers would open port 53 to every address; name the peers that resolve names" -}}
{{- end -}}
{{- if $faults -}}
{{- fail (join "\n" $faults) -}}
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
