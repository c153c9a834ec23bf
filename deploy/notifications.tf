# A bucket of flow logs tells a queue of its new objects; what `tidegate watch` cannot understand ends in a second queue.
#   tidegate watch sqs://flow-logs s3://my-flow-logs/AWSLogs …

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "bucket" {
  description = "The bucket that the flow logs are delivered to."
  type        = string
}

variable "prefix" {
  description = "What the keys of flow logs begin with."
  type        = string
  default     = "AWSLogs/"
}

resource "aws_sqs_queue" "dead" {
  name                      = "flow-logs-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue" "flow_logs" {
  name                       = "flow-logs"
  message_retention_seconds  = 1209600
  visibility_timeout_seconds = 60
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 5
  })
}

data "aws_iam_policy_document" "queue" {
  statement {
    sid       = "BucketTells"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.flow_logs.arn]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = ["arn:aws:s3:::${var.bucket}"]
    }
  }
}

resource "aws_sqs_queue_policy" "flow_logs" {
  queue_url = aws_sqs_queue.flow_logs.id
  policy    = data.aws_iam_policy_document.queue.json
}

resource "aws_s3_bucket_notification" "flow_logs" {
  bucket = var.bucket

  queue {
    queue_arn     = aws_sqs_queue.flow_logs.arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = var.prefix
  }

  depends_on = [aws_sqs_queue_policy.flow_logs]
}

output "queue" {
  description = "What `tidegate watch` is given."
  value       = "sqs://${aws_sqs_queue.flow_logs.name}"
}
