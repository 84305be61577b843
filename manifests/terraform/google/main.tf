# One bucket with the folders of the weekly flow. Jobs read history and weekly files and write models
# and outputs; the controller only lists and reads; nobody else gets in by what is made here.

locals {
  read_by_jobs    = toset(["input_folder/", "weekly_folder/"])
  written_by_jobs = toset(["models/", "output_folder/"])
  folders         = setunion(local.read_by_jobs, local.written_by_jobs)
  hooks           = var.hook_url == null ? toset([]) : toset(["hook"])
  pushed_folders  = var.hook_url == null ? toset([]) : local.read_by_jobs
}

data "google_project" "this" {
  project_id = var.project
}

# --- the bucket -------------------------------------------------------------------

resource "google_storage_bucket" "this" {
  # checkov:skip=CKV_GCP_62:who reads what is logged where the bank logs all its buckets
  project                     = var.project
  name                        = var.bucket
  location                    = var.location
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]

    content {
      default_kms_key_name = encryption.value
    }
  }

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = var.keep_deleted_days
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7
    }
  }
}

# A managed folder is where rights for a prefix hang; objects come into it as into any other.
resource "google_storage_managed_folder" "folder" {
  for_each = local.folders

  bucket = google_storage_bucket.this.name
  name   = each.value
}

# --- who may what -----------------------------------------------------------------

resource "google_service_account" "jobs" {
  project      = var.project
  account_id   = "${var.name}-jobs"
  display_name = "Trains churn models and scores weekly files"
}

resource "google_service_account" "controller" {
  project      = var.project
  account_id   = "${var.name}-controller"
  display_name = "Looks for new weekly files"
}

resource "google_storage_managed_folder_iam_member" "jobs_read" {
  for_each = local.read_by_jobs

  bucket         = google_storage_bucket.this.name
  managed_folder = google_storage_managed_folder.folder[each.value].name
  role           = "roles/storage.objectViewer"
  member         = google_service_account.jobs.member
}

resource "google_storage_managed_folder_iam_member" "jobs_write" {
  for_each = local.written_by_jobs

  bucket         = google_storage_bucket.this.name
  managed_folder = google_storage_managed_folder.folder[each.value].name
  role           = "roles/storage.objectUser"
  member         = google_service_account.jobs.member
}

resource "google_storage_managed_folder_iam_member" "controller_read" {
  for_each = local.folders

  bucket         = google_storage_bucket.this.name
  managed_folder = google_storage_managed_folder.folder[each.value].name
  role           = "roles/storage.objectViewer"
  member         = google_service_account.controller.member
}

resource "google_service_account_iam_member" "jobs_identity" {
  for_each = var.jobs_service_accounts

  service_account_id = google_service_account.jobs.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[${each.value}]"
}

resource "google_service_account_iam_member" "controller_identity" {
  service_account_id = google_service_account.controller.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[${var.controller_service_account}]"
}

# --- pushes -----------------------------------------------------------------------

data "google_storage_project_service_account" "this" {
  project = var.project
}

resource "google_pubsub_topic" "objects" {
  for_each = local.hooks

  project      = var.project
  name         = "${var.name}-objects"
  labels       = var.labels
  kms_key_name = var.kms_key
}

resource "google_pubsub_topic_iam_member" "storage" {
  for_each = local.hooks

  project = var.project
  topic   = google_pubsub_topic.objects[each.key].name
  role    = "roles/pubsub.publisher"
  member  = data.google_storage_project_service_account.this.member
}

# The controller reads the attributes only: the object's description stays at home.
resource "google_storage_notification" "folder" {
  for_each = local.pushed_folders

  bucket             = google_storage_bucket.this.name
  topic              = google_pubsub_topic.objects["hook"].id
  payload_format     = "NONE"
  event_types        = ["OBJECT_FINALIZE"]
  object_name_prefix = each.value

  depends_on = [google_pubsub_topic_iam_member.storage]
}

resource "google_service_account" "push" {
  for_each = local.hooks

  project      = var.project
  account_id   = "${var.name}-push"
  display_name = "Signs the pushes to the churn controller; has no rights"
}

resource "google_service_account_iam_member" "push_token" {
  for_each = local.hooks

  service_account_id = google_service_account.push[each.key].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

# A push that is older than the polling interval is worth nothing: no dead letters are kept.
resource "google_pubsub_subscription" "hook" {
  for_each = local.hooks

  project                    = var.project
  name                       = "${var.name}-hook"
  topic                      = google_pubsub_topic.objects[each.key].id
  labels                     = var.labels
  ack_deadline_seconds       = 20
  message_retention_duration = "600s"

  push_config {
    push_endpoint = var.hook_url

    oidc_token {
      service_account_email = google_service_account.push[each.key].email
      audience              = var.hook_url
    }
  }

  retry_policy {
    minimum_backoff = "1s"
    maximum_backoff = "60s"
  }

  expiration_policy {
    ttl = ""
  }
}
