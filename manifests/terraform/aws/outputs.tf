output "uris" {
  description = "URIs for ChurnModels: data.uri, inbox.uri, template.output.uri, artifacts.uri."
  value       = { for folder in local.folders : trimsuffix(folder, "/") => "s3://${aws_s3_bucket.this.id}/${folder}" }
}

output "allowed_uri" {
  description = "For the controller's --allowed-uri."
  value       = "s3://${aws_s3_bucket.this.id}/"
}

output "jobs_annotation" {
  description = "Annotation of the Jobs' Kubernetes service accounts."
  value       = { "eks.amazonaws.com/role-arn" = aws_iam_role.this["jobs"].arn }
}

output "controller_annotation" {
  description = "Annotation of the controller's Kubernetes service account."
  value       = { "eks.amazonaws.com/role-arn" = aws_iam_role.this["controller"].arn }
}
