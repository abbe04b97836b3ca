{{/*
Adds the list `targets` to the given dict: every autoscaler that has a schedule, with its minimum outside all windows.
Call it as: include "mesh.schedules" (list $ $into)
*/}}
{{- define "mesh.schedules" -}}
{{- $into := index . 1 -}}
{{- $game := dict -}}
{{- include "mesh.models" (list (index . 0) $game) -}}
{{- $supervisor := dict -}}
{{- include "mesh.supervisor" (list (index . 0) $supervisor) -}}
{{- $targets := list -}}
{{- range prepend $game.models $supervisor -}}
{{- if .schedule -}}
{{- $kind := "HorizontalPodAutoscaler" -}}
{{- if and (eq .signal "in_flight") .in_flight.keda -}}
{{- $kind = "ScaledObject" -}}
{{- end -}}
{{- $targets = append $targets (dict "kind" $kind "name" .name "min" (int64 .replicas.min) "schedule" .schedule) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $into "targets" $targets -}}
{{- end -}}

{{/*
The minimum of an autoscaler. If it has a schedule, an upgrade keeps the minimum that a window has set: a release would
otherwise remove replicas at the busiest time.
*/}}
{{- define "mesh.minimum" -}}
{{- $min := int64 .replicas.min -}}
{{- if .schedule -}}
{{- $current := 0 -}}
{{- if and (eq .signal "in_flight") .in_flight.keda -}}
{{- $current = dig "spec" "minReplicaCount" 0 (lookup "keda.sh/v1alpha1" "ScaledObject" .namespace .name) -}}
{{- else -}}
{{- $current = dig "spec" "minReplicas" 0 (lookup "autoscaling/v2" "HorizontalPodAutoscaler" .namespace .name) -}}
{{- end -}}
{{- range .schedule -}}
{{- if eq (int64 .min) (int64 $current) -}}
{{- $min = int64 $current -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $min -}}
{{- end -}}
