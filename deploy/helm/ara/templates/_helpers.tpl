{{- define "ara.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "ara.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "ara.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "ara.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "ara.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ara.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ara.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "ara.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "ara.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "ara.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "ara.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "ara.secretName" -}}
{{- default (include "ara.fullname" .) .Values.secrets.existingSecret -}}
{{- end -}}

{{/* Variable → key in the Secret, whoever made it; as JSON. */}}
{{- define "ara.secretKeys" -}}
{{- if .Values.secrets.existingSecret -}}
{{- .Values.secrets.keys | toJson -}}
{{- else -}}
{{- $keys := dict "JWT_SECRET" "jwt-secret" "API_KEY" "api-key" -}}
{{- range $variable, $value := .Values.secrets.values -}}
{{- $_ := set $keys $variable ($variable | lower | replace "_" "-") -}}
{{- end -}}
{{- $keys | toJson -}}
{{- end -}}
{{- end -}}

{{/* Whether there can be more than one pod. */}}
{{- define "ara.isMany" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) -}}true{{- end -}}
{{- end -}}

{{/* What would start, and then not do what was meant. */}}
{{- define "ara.check" -}}
{{- $keys := include "ara.secretKeys" . | fromJson -}}
{{- if and (include "ara.isMany" .) (not .Values.cluster.enabled) -}}
{{- fail "More than one pod needs cluster.enabled=true and a REDIS_URL; else each would know its own clients only." -}}
{{- end -}}
{{- if and .Values.cluster.enabled (not (hasKey $keys "REDIS_URL")) (not (hasKey .Values.config "REDIS_URL")) -}}
{{- fail "cluster.enabled needs REDIS_URL: in secrets.keys (with secrets.existingSecret), secrets.values or config." -}}
{{- end -}}
{{- range $variable, $_ := $keys -}}
{{- if hasKey $.Values.config $variable -}}
{{- fail (printf "%s is both in config and among the secrets." $variable) -}}
{{- end -}}
{{- end -}}
{{- range $variable := list "RUN_MODE" "SERVER_PORT" "METRICS_PORT" "CLUSTER_ENABLED" "CLUSTER_NODE_ID" -}}
{{- if hasKey $.Values.config $variable -}}
{{- fail (printf "config.%s: the chart sets it itself." $variable) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (empty .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled needs httpRoute.parentRefs: the gateway that it belongs to." -}}
{{- end -}}
{{- end -}}
