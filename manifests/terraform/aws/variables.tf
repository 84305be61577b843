variable "bucket" {
  description = "Name of the bucket."
  type        = string
}

variable "name" {
  description = "Prefix of roles and topic."
  type        = string
  default     = "churn"

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,40}$", var.name))
    error_message = "name must be 1 to 41 letters, digits and '-', and begin with a letter."
  }
}

variable "tags" {
  description = "Tags of all that can have them."
  type        = map(string)
  default     = {}
}

variable "kms_key_arn" {
  description = "KMS key that encrypts bucket and topic; null: keys of S3, and a topic that holds names of objects unencrypted. Its policy must let s3.amazonaws.com use it (kms:GenerateDataKey*, kms:Decrypt)."
  type        = string
  default     = null
}

variable "keep_deleted_days" {
  description = "For how many days replaced and deleted objects can be had back."
  type        = number
  default     = 30

  validation {
    condition     = var.keep_deleted_days >= 1 && var.keep_deleted_days <= 365
    error_message = "keep_deleted_days must be 1 to 365."
  }
}

variable "oidc_provider_arn" {
  description = "ARN of the cluster's OpenID Connect provider in IAM: arn:aws:iam::ACCOUNT:oidc-provider/ISSUER."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]+:oidc-provider/.+$", var.oidc_provider_arn))
    error_message = "oidc_provider_arn must be arn:aws:iam::ACCOUNT:oidc-provider/ISSUER."
  }
}

variable "jobs_service_accounts" {
  description = "Kubernetes service accounts of training and scoring Jobs (podTemplate.serviceAccountName), each as \"namespace/name\"."
  type        = set(string)

  validation {
    condition     = alltrue([for account in var.jobs_service_accounts : can(regex("^[a-z0-9-]+/[a-z0-9.-]+$", account))])
    error_message = "Each of jobs_service_accounts must be namespace/name."
  }
}

variable "controller_service_account" {
  description = "Kubernetes service account of the controller, as \"namespace/name\"."
  type        = string
  default     = "churn-operator/churn-operator"

  validation {
    condition     = can(regex("^[a-z0-9-]+/[a-z0-9.-]+$", var.controller_service_account))
    error_message = "controller_service_account must be namespace/name."
  }
}

variable "hook_host" {
  description = "Name of the controller's hook, such as churn.bank.example; null: no pushes, the inbox is polled."
  type        = string
  default     = null

  validation {
    condition     = var.hook_host == null || can(regex("^[a-zA-Z0-9.-]+(:[0-9]+)?$", var.hook_host))
    error_message = "hook_host must be a host name, with a port if it is not 443."
  }
}

variable "hook_token" {
  description = "The shared token of the Secret churn-operator-hooks; with hook_host. It is in the subscription's address and so in Terraform's state."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.hook_token == null || can(regex("^[a-zA-Z0-9._~-]{16,}$", var.hook_token))
    error_message = "hook_token must be at least 16 letters, digits, '.', '_', '~' and '-'."
  }
}
