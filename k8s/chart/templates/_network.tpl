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

{{/*
The rule for the collector of traces. Without peers in the values: the address, or the namespace of the Service that
`tracing.to` names; the host of any other name may be at any address. NetworkPolicies see the port of the pod.
*/}}
{{- define "mesh.network.collector" -}}
{{- $policies := .Values.kubernetes.network_policies -}}
{{- $to := .Values.kubernetes.tracing.to -}}
{{- $host := regexReplaceAll ":[0-9]+$" $to "" | trimAll "[]" | trimSuffix "." -}}
{{- $peers := $policies.collector -}}
{{- if not $peers -}}
{{- $labels := splitList "." $host -}}
{{- if contains ":" $host -}}
{{- $peers = list (dict "ipBlock" (dict "cidr" (printf "%s/128" $host))) -}}
{{- else if regexMatch "^[0-9.]+$" $host -}}
{{- $peers = list (dict "ipBlock" (dict "cidr" (printf "%s/32" $host))) -}}
{{- else if eq (len $labels) 1 -}}
{{- $peers = list (dict "podSelector" dict) -}}
{{- else if or (eq (len $labels) 2) (eq (index $labels 2) "svc") -}}
{{- $name := dict "kubernetes.io/metadata.name" (index $labels 1) -}}
{{- $peers = list (dict "namespaceSelector" (dict "matchLabels" $name)) -}}
{{- end -}}
{{- end -}}
- ports:
    - {protocol: TCP, port: {{ $policies.collector_port | default (regexFind "[0-9]+$" $to) }}}
  {{- with $peers }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
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
