# One bucket with the folders of the weekly flow. Jobs read history and weekly files and write models
# and outputs; the controller only lists and reads; nobody else gets in by what is made here.

locals {
  read_by_jobs    = ["input_folder/", "weekly_folder/"]
  written_by_jobs = ["models/", "output_folder/"]
  folders         = concat(local.read_by_jobs, local.written_by_jobs)
  issuer          = replace(var.oidc_provider_arn, "/^[^/]*\\//", "")
  hooks           = var.hook_host == null ? toset([]) : toset(["hook"])

  roles = {
    jobs = {
      description = "Trains churn models and scores weekly files"
      accounts    = var.jobs_service_accounts
      writes      = true
    }
    controller = {
      description = "Looks for new weekly files"
      accounts    = toset([var.controller_service_account])
      writes      = false
    }
  }
}

data "aws_caller_identity" "this" {}

# --- the bucket -------------------------------------------------------------------

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18:who reads what is logged where the bank logs all its buckets
  # checkov:skip=CKV_AWS_144:a copy in another region is for the owner of the data to decide
  bucket        = var.bucket
  tags          = var.tags
  force_destroy = false
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "replaced-and-deleted"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.keep_deleted_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "OnlyTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = data.aws_iam_policy_document.bucket.json

  depends_on = [aws_s3_bucket_public_access_block.this]
}

# --- who may what -----------------------------------------------------------------

data "aws_iam_policy_document" "assume" {
  for_each = local.roles

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = [for account in each.value.accounts : "system:serviceaccount:${replace(account, "/", ":")}"]
    }
  }
}

data "aws_iam_policy_document" "objects" {
  for_each = local.roles

  statement {
    sid       = "Look"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.this.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = [for folder in local.folders : "${folder}*"]
    }
  }

  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = [for folder in local.folders : "${aws_s3_bucket.this.arn}/${folder}*"]
  }

  dynamic "statement" {
    for_each = each.value.writes ? ["Write"] : []

    content {
      sid       = statement.value
      actions   = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
      resources = [for folder in local.written_by_jobs : "${aws_s3_bucket.this.arn}/${folder}*"]
    }
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]

    content {
      sid       = "Key"
      actions   = each.value.writes ? ["kms:Decrypt", "kms:GenerateDataKey"] : ["kms:Decrypt"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name               = "${var.name}-${each.key}"
  description        = each.value.description
  assume_role_policy = data.aws_iam_policy_document.assume[each.key].json
  tags               = var.tags
}

resource "aws_iam_role_policy" "objects" {
  for_each = local.roles

  name   = "bucket"
  role   = aws_iam_role.this[each.key].id
  policy = data.aws_iam_policy_document.objects[each.key].json
}

# --- pushes -----------------------------------------------------------------------

resource "aws_sns_topic" "objects" {
  for_each = local.hooks

  name              = "${var.name}-objects"
  kms_master_key_id = var.kms_key_arn
  tags              = var.tags
}

data "aws_iam_policy_document" "topic" {
  for_each = local.hooks

  statement {
    sid       = "Bucket"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.objects[each.key].arn]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_s3_bucket.this.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "objects" {
  for_each = local.hooks

  arn    = aws_sns_topic.objects[each.key].arn
  policy = data.aws_iam_policy_document.topic[each.key].json
}

resource "aws_s3_bucket_notification" "objects" {
  for_each = local.hooks

  bucket = aws_s3_bucket.this.id

  topic {
    id            = "weekly"
    topic_arn     = aws_sns_topic.objects[each.key].arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "weekly_folder/"
  }

  topic {
    id            = "history"
    topic_arn     = aws_sns_topic.objects[each.key].arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "input_folder/"
  }

  depends_on = [aws_sns_topic_policy.objects]
}

# The controller confirms it by itself. SNS sends the password when it is asked for one.
resource "aws_sns_topic_subscription" "hook" {
  for_each = local.hooks

  topic_arn              = aws_sns_topic.objects[each.key].arn
  protocol               = "https"
  endpoint               = "https://churn:${var.hook_token}@${var.hook_host}/v1/hooks/storage"
  endpoint_auto_confirms = true
  raw_message_delivery   = false

  lifecycle {
    precondition {
      condition     = var.hook_token != null
      error_message = "hook_host needs hook_token."
    }
  }
}
