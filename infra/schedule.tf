# A trigger only says "check now": repeated, lost and late ones are harmless.
locals {
  # Until transform, and then load, make up for a lost event: a change is in time
  # even if both were lost. The runs themselves take seconds; a minute is theirs.
  lost_event_minutes = floor((local.freshness_seconds_max / 60 - var.extract_every_minutes - 1) / 2)
  # By time: transform and load do what a manifest's event does sooner, unless it
  # is lost.
  schedules = {
    extract   = "rate(${var.extract_every_minutes} ${var.extract_every_minutes == 1 ? "minute" : "minutes"})"
    transform = "rate(${local.lost_event_minutes} minutes)"
    load      = "rate(${local.lost_event_minutes} minutes)"
    verify    = "cron(30 3 * * ? *)"
    sweep     = "cron(30 4 * * ? *)"
  }
  # By a committed batch: the zone whose manifests start the function.
  manifests = {
    transform = "ingestion"
    load      = "processed"
  }
  # Not _batches/latest, which is a hint. In a rebuilt zone the folder's name
  # ends with the generation's.
  manifest_keys = "_batches*/*.json"
}

data "aws_iam_policy_document" "scheduler_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_scheduler_schedule_group.this.arn]
    }
  }
}

resource "aws_scheduler_schedule_group" "this" {
  name = local.name
}

locals {
  scheduler_statements = [
    {
      actions   = ["lambda:InvokeFunction"]
      resources = [for name in keys(local.schedules) : module.function[name].arn]
    },
  ]
}

data "aws_iam_policy_document" "scheduler" {
  dynamic "statement" {
    for_each = local.scheduler_statements

    content {
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }
}

resource "aws_iam_role" "scheduler" {
  name                 = "${local.name}-scheduler"
  assume_role_policy   = data.aws_iam_policy_document.scheduler_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "this"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}

resource "aws_scheduler_schedule" "this" {
  for_each = local.schedules

  name                = "${local.name}-${each.key}"
  group_name          = aws_scheduler_schedule_group.this.name
  schedule_expression = each.value

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.function[each.key].arn
    role_arn = aws_iam_role.scheduler.arn

    retry_policy {
      maximum_event_age_in_seconds = 600
      maximum_retry_attempts       = 2
    }
  }
}

resource "aws_cloudwatch_event_rule" "manifest" {
  for_each = local.manifests

  name        = "${local.name}-${each.key}"
  description = "A batch was committed in the ${each.value} zone"

  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail = {
      bucket = { name = [local.buckets[each.value].id] }
      object = { key = [{ wildcard = local.manifest_keys }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "manifest" {
  for_each = local.manifests

  rule = aws_cloudwatch_event_rule.manifest[each.key].name
  arn  = module.function[each.key].arn

  retry_policy {
    maximum_event_age_in_seconds = 600
    maximum_retry_attempts       = 2
  }
}

resource "aws_lambda_permission" "manifest" {
  for_each = local.manifests

  statement_id  = "manifest"
  action        = "lambda:InvokeFunction"
  function_name = module.function[each.key].name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.manifest[each.key].arn
}
