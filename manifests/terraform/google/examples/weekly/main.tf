# The bank's bucket, for a GKE cluster of the same project with Workload Identity.

terraform {
  required_version = ">= 1.5"
}

provider "google" {
  project = "bank-churn"
  region  = "europe-west3"
}

module "churn" {
  source = "../.."

  project               = "bank-churn"
  bucket                = "bank-churn-files"
  location              = "europe-west3"
  jobs_service_accounts = ["retail/churn-jobs"]
  hook_url              = "https://churn.bank.example/v1/hooks/storage"
  labels                = { team = "retail" }
}

output "churn" {
  value = module.churn
}
