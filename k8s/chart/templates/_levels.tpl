{{/*
Merges the second mapping into the first, in place: mappings key by key; the second's other values replace the first's.
mergeOverwrite does not work here: it treats 0 and false as missing, and a window of 0 seconds must override one of 60.
*/}}
{{- define "mesh.merge" -}}
{{- $under := index . 0 -}}
{{- range $key, $value := index . 1 -}}
{{- if kindIs "invalid" $value -}}
{{- else if and (kindIs "map" $value) (kindIs "map" (index $under $key)) -}}
{{- include "mesh.merge" (list (index $under $key) $value) -}}
{{- else -}}
{{- $_ := set $under $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
Adds the list `models` to the given dict: every member and every version's own model, with its merged values. The version's
values override the game's, and the model's override the version's; a member's override the game's.
Call it as: include "mesh.models" (list $ $into)
*/}}
{{- define "mesh.models" -}}
{{- $root := index . 0 -}}
{{- $into := index . 1 -}}
{{- $_ := set $into "models" list -}}
{{- $members := dict -}}
{{- range $position, $member := $root.Values.members -}}
{{- $_ := set $members $member.name true -}}
{{- include "mesh.model" (list $root $into "shared" dict $member (printf "members[%d]" $position)) -}}
{{- end -}}
{{- if and $members (hasKey $root.Values.versions "shared") -}}
{{- fail "versions.shared: the members of the game have this name in metrics and in Kubernetes; rename the version" -}}
{{- end -}}
{{- range $version, $ensemble := $root.Values.versions -}}
{{- range $position, $given := $ensemble.models -}}
{{- $at := printf "versions.%s.models[%d]" $version $position -}}
{{- if not $given.member -}}
{{- include "mesh.model" (list $root $into $version $ensemble $given $at) -}}
{{- else if not (hasKey $members $given.member) -}}
{{- fail (printf "%s.member: %q is not a member; add it to the list `members` of the game" $at $given.member) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
Appends one model with its merged values to the list `models` of the given dict. `home` is the version of the model, or
`shared`. Call it as: include "mesh.model" (list $ $into $home $ensemble $given $at)
*/}}
{{- define "mesh.model" -}}
{{- $root := index . 0 -}}
{{- $into := index . 1 -}}
{{- $home := index . 2 -}}
{{- $ensemble := index . 3 -}}
{{- $given := index . 4 -}}
{{- $model := dict -}}
{{- range $level := list $root.Values $ensemble $given -}}
{{- include "mesh.merge" (list $model (deepCopy (pick $level "image" "engine" "replicas" "resources" "signal" "in_flight" "hpa" "schedule"))) -}}
{{- end -}}
{{- $_ := set $model "at" (index . 5) -}}
{{- $_ := set $model "namespace" $root.Release.Namespace -}}
{{- $_ := set $model "game" $root.Values.game -}}
{{- $_ := set $model "version" $home -}}
{{- $_ := set $model "model" $given.name -}}
{{- $_ := set $model "name" (printf "%s-%s-%s" $root.Values.game $home $given.name) -}}
{{- $_ := set $model "container" "worker" -}}
{{- $_ := set $model "uri" (include "mesh.uri" (list $root $given.uri (printf "%s.uri" $model.at))) -}}
{{- $_ := set $model "sha256" $given.sha256 -}}
{{- $_ := set $model "categories" $given.categories -}}
{{- if $given.golden -}}
{{- $_ := set $model "golden" (include "mesh.uri" (list $root $given.golden (printf "%s.golden" $model.at))) -}}
{{- end -}}
{{- $_ := set $model "golden_sha256" $given.golden_sha256 -}}
{{- $_ := set $model "kubernetes" $root.Values.kubernetes -}}
{{- $_ := set $model "pod" dict -}}
{{- include "mesh.tls" (list $root $model) -}}
{{- include "mesh.pod.settings" (list $root $model.pod $root.Values.pod $ensemble.pod $given.pod) -}}
{{- $_ := set $model "start_s" $root.Values.kubernetes.load_s -}}
{{- include "mesh.check" $model -}}
{{- $_ := set $model "image" (include "mesh.image" (list $root $model.image)) -}}
{{- include "mesh.present" (list $model.at $model (list "engine")) -}}
{{- range $into.models -}}
{{- if eq .name $model.name -}}
{{- fail (printf "%s.name: the Kubernetes name %q is also that of another model; rename the version or the model" $model.at $model.name) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $into "models" (append $into.models $model) -}}
{{- end -}}

{{/* Fails if the supervisor's pod would lack a file that it reads: relative paths need the volume of files. */}}
{{- define "mesh.inputs" -}}
{{- $offers := .Values.offers | default dict -}}
{{- $paths := dict "features.path" (get .Values.features "path") -}}
{{- $fixes := dict "features.path" "name the volume in kubernetes.files, or keep the players in DynamoDB" -}}
{{- if not $offers.table -}}
{{- $_ := set $paths "offers.path" $offers.path -}}
{{- $_ := set $fixes "offers.path" "pass the file with --set-file offers.table=FILE, or name the volume in kubernetes.files" -}}
{{- end -}}
{{- range $name, $version := .Values.versions -}}
{{- if not (hasPrefix "s3://" ($version.reference | default "s3://")) -}}
{{- $at := printf "versions.%s.reference" $name -}}
{{- $_ := set $paths $at $version.reference -}}
{{- $_ := set $fixes $at "publish it to S3, or name the volume in kubernetes.files" -}}
{{- end -}}
{{- end -}}
{{- range $at, $path := $paths -}}
{{- if and $path (not $.Values.kubernetes.files) (not (hasPrefix "/" (trimPrefix "file:" $path))) -}}
{{- fail (printf "%s: %s is a relative path, and no volume holds its folder; %s" $at $path (get $fixes $at)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Fills the given dict with the supervisor's values. Call it as: include "mesh.supervisor" (list $ $into) */}}
{{- define "mesh.supervisor" -}}
{{- $values := (index . 0).Values -}}
{{- $into := index . 1 -}}
{{- include "mesh.merge" (list $into (deepCopy $values.supervisor)) -}}
{{- $_ := set $into "at" "supervisor" -}}
{{- $_ := set $into "game" $values.game -}}
{{- $_ := set $into "name" (printf "%s-supervisor" $values.game) -}}
{{- $_ := set $into "container" "supervisor" -}}
{{- $_ := set $into "signal" "cpu" -}}
{{- $_ := set $into "in_flight" dict -}}
{{- $_ := set $into "namespace" (index . 0).Release.Namespace -}}
{{- $_ := set $into "kubernetes" $values.kubernetes -}}
{{- include "mesh.tls" (list (index . 0) $into) -}}
{{- $own := $into.pod -}}
{{- $_ := set $into "pod" dict -}}
{{- include "mesh.pod.settings" (list (index . 0) $into.pod $own) -}}
{{- /* At least 180 s, however fast models load: the supervisor waits for a table's columns and then for its lanes. */ -}}
{{- $_ := set $into "start_s" (max 180 (int $values.kubernetes.load_s)) -}}
{{- include "mesh.inputs" (index . 0) -}}
{{- include "mesh.check" $into -}}
{{- $_ := set $into "image" (include "mesh.image" (list (index . 0) $into.image)) -}}
{{- end -}}

{{/*
Adds the settings of a pod to the given dict: those of `kubernetes`, then those of each `pod` in the list. Mappings are merged
key by key, but not deeper: half of a variable or of a volume has no meaning. Other values replace those of the level above.
Call it as: include "mesh.pod.settings" (list $ $into $pod ...)
*/}}
{{- define "mesh.pod.settings" -}}
{{- $into := index . 1 -}}
{{- range $level := prepend (slice . 2) (index . 0).Values.kubernetes -}}
{{- range $key := list "env" "labels" "annotations" "node_selector" "volumes" -}}
{{- $merged := get $into $key | default dict -}}
{{- range $name, $value := index ($level | default dict) $key -}}
{{- $_ := set $merged $name $value -}}
{{- end -}}
{{- $_ := set $into $key $merged -}}
{{- end -}}
{{- range $key := list "tolerations" "affinity" "priority_class" "image_pull_secrets" -}}
{{- if not (kindIs "invalid" (index ($level | default dict) $key)) -}}
{{- $_ := set $into $key (index $level $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if kindIs "invalid" $into.image_pull_secrets -}}
{{- $secrets := list -}}
{{- range ((index . 0).Values.global | default dict).imagePullSecrets -}}
{{- if kindIs "map" . -}}
{{- $secrets = append $secrets .name -}}
{{- else -}}
{{- $secrets = append $secrets . -}}
{{- end -}}
{{- end -}}
{{- $_ := set $into "image_pull_secrets" $secrets -}}
{{- end -}}
{{- end -}}

{{/* The image with the registry of the game or of an umbrella chart, unless the image names its registry. */}}
{{- define "mesh.image" -}}
{{- $values := (index . 0).Values -}}
{{- $image := index . 1 -}}
{{- $registry := coalesce $values.kubernetes.image_registry ($values.global | default dict).imageRegistry -}}
{{- $first := regexFind "^[^/]+/" $image -}}
{{- if and $registry (not (or (contains "." $first) (contains ":" $first) (eq $first "localhost/"))) -}}
{{- printf "%s/%s" (trimSuffix "/" $registry) $image -}}
{{- else -}}
{{- $image -}}
{{- end -}}
{{- end -}}

{{/* The place of a model's file in a pod: an address or an absolute path unchanged, a relative path below the volume of files. */}}
{{- define "mesh.uri" -}}
{{- $root := index . 0 -}}
{{- $uri := trimPrefix "file:" (index . 1) | trimPrefix "//" -}}
{{- if or (contains "://" $uri) (hasPrefix "/" $uri) -}}
{{- $uri -}}
{{- else if $root.Values.kubernetes.files -}}
{{- printf "/srv/ensemble-mesh/%s" $uri -}}
{{- else -}}
{{- fail (printf "%s: %s is a relative path, and no volume holds its folder; give s3://BUCKET/KEY, or name the volume in kubernetes.files" (index . 2) $uri) -}}
{{- end -}}
{{- end -}}

{{/* The checks that the schema cannot express, because they concern two values at once. */}}
{{- define "mesh.check" -}}
{{- include "mesh.present" (list .at . (list "image" "replicas" "resources" "hpa")) -}}
{{- include "mesh.present" (list (printf "%s.replicas" .at) .replicas (list "min" "max")) -}}
{{- include "mesh.present" (list (printf "%s.resources" .at) .resources (list "cpu" "memory" "ephemeral_storage")) -}}
{{- include "mesh.present" (list (printf "%s.hpa" .at) .hpa (list "cpu_percent" "behavior")) -}}
{{- include "mesh.present" (list "kubernetes" .kubernetes (list "discovery" "host" "load_s")) -}}
{{- if gt (int .replicas.min) (int .replicas.max) -}}
{{- fail (printf "%s.replicas: min %v is above max %v; lower min or raise max (a value that is not set here comes from the version, the game or the default)" .at .replicas.min .replicas.max) -}}
{{- end -}}
{{- $checked := . -}}
{{- range $position, $window := .schedule -}}
{{- if gt (int $window.min) (int $checked.replicas.max) -}}
{{- fail (printf "%s.schedule[%d].min: %v is above replicas.max %v; lower min or raise max" $checked.at $position $window.min $checked.replicas.max) -}}
{{- end -}}
{{- end -}}
{{- if gt (len .name) 63 -}}
{{- fail (printf "%s.name: the Kubernetes name %q has %d characters, but the limit is 63; shorten the name of the game, the version or the model" .at .name (len .name)) -}}
{{- end -}}
{{- if and (eq .signal "in_flight") .hpa.metrics -}}
{{- fail (printf "%s.hpa.metrics: metrics are set, but `signal: in_flight` defines the metrics; remove one of the two settings from the model or the game" .at) -}}
{{- end -}}
{{- $check := . -}}
{{- range $position, $metric := .hpa.metrics -}}
{{- if and (eq $metric.type "ContainerResource") (ne $metric.containerResource.container $check.container) -}}
{{- fail (printf "%s.hpa.metrics[%d].containerResource.container: the pods have no container %q; use %s" $check.at $position $metric.containerResource.container $check.container) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Fails on null: Helm removes a default that null overrides. Call it as: include "mesh.present" (list PLACE $block KEYS) */}}
{{- define "mesh.present" -}}
{{- $block := index . 1 -}}
{{- range $key := index . 2 -}}
{{- if kindIs "invalid" (index $block $key) -}}
{{- fail (printf "%s.%s: is null, and null removes the default; leave the key out, or give a value" (index $ 0) $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
