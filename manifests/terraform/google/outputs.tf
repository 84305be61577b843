output "uris" {
  description = "URIs for ChurnModels: data.uri, inbox.uri, template.output.uri, artifacts.uri."
  value       = { for folder in local.folders : trimsuffix(folder, "/") => "gs://${google_storage_bucket.this.name}/${folder}" }
}

output "allowed_uri" {
  description = "For the controller's --allowed-uri."
  value       = "gs://${google_storage_bucket.this.name}/"
}

output "jobs_annotation" {
  description = "Annotation of the Jobs' Kubernetes service accounts."
  value       = { "iam.gke.io/gcp-service-account" = google_service_account.jobs.email }
}

output "controller_annotation" {
  description = "Annotation of the controller's Kubernetes service account."
  value       = { "iam.gke.io/gcp-service-account" = google_service_account.controller.email }
}

output "controller_arguments" {
  description = "Further arguments of the controller, so that it takes the pushes; empty without hook_url."
  value = var.hook_url == null ? [] : [
    "--hooks-audience=${var.hook_url}",
    "--hooks-service-account=${google_service_account.push["hook"].email}",
  ]
}
