variable "project" {
  description = "Project of all that is made here."
  type        = string
}

variable "bucket" {
  description = "Name of the bucket."
  type        = string
}

variable "location" {
  description = "Where the bucket is, such as europe-west3 or EU."
  type        = string
}

variable "labels" {
  description = "Labels of bucket, topic and subscription."
  type        = map(string)
  default     = {}
}

variable "kms_key" {
  description = "Cloud KMS key that encrypts the bucket and the topic; null: keys of Google. The service agents of Cloud Storage and Pub/Sub must have the right to use it."
  type        = string
  default     = null
}

variable "keep_deleted_days" {
  description = "For how many days replaced and deleted objects can be had back."
  type        = number
  default     = 30

  validation {
    condition     = var.keep_deleted_days >= 7 && var.keep_deleted_days <= 90
    error_message = "keep_deleted_days must be 7 to 90."
  }
}

variable "name" {
  description = "Prefix of service accounts, topic and subscription."
  type        = string
  default     = "churn"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}$", var.name))
    error_message = "name must be 1 to 19 lower-case letters, digits and '-', and begin with a letter."
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

variable "hook_url" {
  description = "HTTPS address of the controller's hook, such as https://churn.bank.example/v1/hooks/storage; null: no pushes, the inbox is polled."
  type        = string
  default     = null

  validation {
    condition     = var.hook_url == null || can(regex("^https://[^?]+/v1/hooks/storage$", var.hook_url))
    error_message = "hook_url must be https://HOST/v1/hooks/storage."
  }
}
