# The bank's bucket, for an EKS cluster whose OpenID Connect provider is known to IAM.

terraform {
  required_version = ">= 1.5"
}

provider "aws" {
  region = "eu-central-1"
}

variable "hook_token" {
  description = "What the Secret churn-operator-hooks holds."
  type        = string
  sensitive   = true
}

module "churn" {
  source = "../.."

  bucket                = "bank-churn-files"
  oidc_provider_arn     = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE"
  jobs_service_accounts = ["retail/churn-jobs"]
  hook_host             = "churn.bank.example"
  hook_token            = var.hook_token
  tags                  = { team = "retail" }
}

output "churn" {
  value = module.churn
}
