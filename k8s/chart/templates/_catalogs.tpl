{{/*
Adds to the given dict the catalogs that the release keeps: `text`, the new one, and `kept`, a list of the last three, newest
first, each with its `name` and `text`. Helm's lookup finds the earlier ones in the cluster; `helm template` finds none. A
release must stay below 1 MiB compressed, so the earlier ones of a game with a large table of offers are left out.
Call it as: include "mesh.catalogs" (list $ $into)
*/}}
{{- define "mesh.catalogs" -}}
{{- $root := index . 0 -}}
{{- $pointed := printf "%s-catalog" $root.Values.game -}}
{{- $text := printf "%s\n" (include "mesh.catalog" $root) -}}
{{- $kept := list (dict "name" (include "mesh.catalog.name" (list $pointed $text)) "text" $text) -}}
{{- $now := lookup "v1" "ConfigMap" $root.Release.Namespace $pointed | default dict -}}
{{- /* The catalog in force may be newer than the history: edited by hand, or of an older chart, which kept none. */ -}}
{{- $earlier := list -}}
{{- with dig "data" "mesh.yaml" "" $now -}}
{{- $earlier = append $earlier (dict "name" (include "mesh.catalog.name" (list $pointed .)) "text" .) -}}
{{- end -}}
{{- range $name := dig "data" "history" "" $now | splitList "\n" -}}
{{- if $name -}}
{{- with dig "data" "mesh.yaml" "" (lookup "v1" "ConfigMap" $root.Release.Namespace $name | default dict) -}}
{{- $earlier = append $earlier (dict "name" $name "text" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $names := list (first $kept).name -}}
{{- $size := mul 2 (len $text) -}}
{{- range $earlier -}}
{{- $size = add $size (len .text) -}}
{{- if and (lt (len $kept) 3) (not (has .name $names)) (lt $size 1500000) -}}
{{- $kept = append $kept . -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}
{{- $_ := set (index . 1) "text" $text -}}
{{- $_ := set (index . 1) "kept" $kept -}}
{{- $_ := set (index . 1) "now" (dig "data" "mesh.yaml" "" $now) -}}
{{- end -}}

{{/* The name of the immutable ConfigMap of a catalog. Call it as: include "mesh.catalog.name" (list PREFIX TEXT) */}}
{{- define "mesh.catalog.name" -}}
{{- printf "%s-%s" (first .) (last . | sha256sum | trunc 10) -}}
{{- end -}}

{{/* Fails if the traffic of the versions does not add up to 100, unless a version has a plan instead. */}}
{{- define "mesh.traffic" -}}
{{- $total := 0.0 -}}
{{- $planned := false -}}
{{- range .Values.versions -}}
{{- $planned = or $planned (not (empty .rollout)) -}}
{{- $total = addf $total (ternary .traffic 100 (not (kindIs "invalid" .traffic))) -}}
{{- end -}}
{{- $difference := subf $total 100 -}}
{{- if and (not $planned) (gt (mulf $difference $difference) 1e-12) -}}
{{- fail (printf "versions: the traffic of the versions adds up to %v; change the shares so that they add up to 100" $total) -}}
{{- end -}}
{{- end -}}
