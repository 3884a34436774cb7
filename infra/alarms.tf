resource "aws_sns_topic" "alarms" {
  name              = "${local.name}-alarms"
  kms_master_key_id = aws_kms_key.alarms.id

  lifecycle {
    precondition {
      condition     = length(var.emails) + length(var.phone_numbers) > 0
      error_message = "An alarm must reach somebody: name a phone number, an e-mail address, or both."
    }
  }
}

# With AWS's own key for SNS, alarms and budgets could not publish.
resource "aws_kms_key" "alarms" {
  description         = "Alarms of ${local.name}"
  enable_key_rotation = true
  policy              = data.aws_iam_policy_document.alarms_key.json
}

data "aws_iam_policy_document" "alarms_key" {
  statement {
    sid       = "Administer"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }

  statement {
    sid       = "Publish"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

data "aws_iam_policy_document" "alarms_topic" {
  statement {
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = data.aws_iam_policy_document.alarms_topic.json
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.emails

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_sns_topic_subscription" "sms" {
  for_each = var.phone_numbers

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "sms"
  endpoint  = each.value
}

locals {
  freshness_seconds_max = 1800
  # The share of a function's time limit from which on its alarm rings.
  near_limit = 0.9
  # verify runs once a day, at the same hour.
  hours_between_verifications_max = 26

  # Each belongs to the group that it rings in: failures of the functions, or
  # faults in the data.
  alarms = merge(
    merge([
      for name, function in module.function : {
        "${name}-errors" = {
          group       = "functions"
          description = "A run of ${name} failed: its log says why. The next trigger tries again"
          namespace   = "AWS/Lambda"
          metric      = "Errors"
          dimensions  = { FunctionName = function.name }
        }
        "${name}-throttles" = {
          group       = "functions"
          description = "${name} was throttled: the account's concurrency, or what is reserved, is used up"
          namespace   = "AWS/Lambda"
          metric      = "Throttles"
          dimensions  = { FunctionName = function.name }
        }
        "${name}-duration" = {
          group       = "functions"
          description = "${name} needs nearly all of its time: give it more, or more memory"
          namespace   = "AWS/Lambda"
          metric      = "Duration"
          statistic   = "Maximum"
          dimensions  = { FunctionName = function.name }
          threshold   = function.timeout_s * 1000 * local.near_limit
        }
      }
    ]...),
    {
      for stage in ["extract", "transform", "load"] : "${stage}-checks" => {
        group       = "data"
        description = "${stage} refused a batch, since its data broke a rule: its log says which"
        metric      = "ChecksFailed"
        dimensions  = { Stage = stage }
      }
    },
    {
      freshness = {
        group       = "functions"
        description = "The warehouse is over 30 minutes behind the source"
        metric      = "FreshnessSeconds"
        statistic   = "Maximum"
        dimensions  = { Stage = "load" }
        threshold   = local.freshness_seconds_max
      }
      # Load runs every five minutes: no run for fifteen means no data.
      no-data = {
        group       = "functions"
        description = "No freshness was reported for 15 minutes: load does not run"
        metric      = "FreshnessSeconds"
        statistic   = "SampleCount"
        dimensions  = { Stage = "load" }
        below       = 1
        periods     = 3
        missing     = "breaching"
      }
      not-verified = {
        group       = "data"
        description = "verify has not completed for ${local.hours_between_verifications_max} hours"
        metric      = "Differences"
        statistic   = "SampleCount"
        dimensions  = { Stage = "verify" }
        below       = 1
        period      = 3600
        periods     = local.hours_between_verifications_max
        missing     = "breaching"
      }
      differences = {
        group       = "data"
        description = "verify found that the lake or the warehouse differs from the source"
        metric      = "Differences"
        dimensions  = { Stage = "verify" }
      }
      quarantine = {
        group       = "data"
        description = "Rows of the source can't be read and were set aside"
        metric      = "QuarantinedRows"
        dimensions  = { Stage = "transform" }
      }
    },
  )
}

# None of these rings by itself: the composite alarm of its group does, once per
# failure. By default, any occurrence within five minutes sets off the alarm.
resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "${each.value.description}. See docs/runbook.md"
  namespace           = try(each.value.namespace, local.metrics_namespace)
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = try(each.value.statistic, "Sum")
  comparison_operator = can(each.value.below) ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = try(each.value.below, each.value.threshold, 0)
  period              = try(each.value.period, 300)
  evaluation_periods  = try(each.value.periods, 1)
  datapoints_to_alarm = try(each.value.periods, 1)
  treat_missing_data  = try(each.value.missing, "notBreaching")
}

# A lost trigger is harmless: this alarm is there to look at, and never rings.
resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${local.name}-dead-letters"
  alarm_description   = "Triggers were not delivered; if no other alarm is on, later ones did their work. See docs/runbook.md"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
}

resource "aws_cloudwatch_composite_alarm" "this" {
  for_each = {
    functions = "Functions of ${local.name} fail or fall behind"
    data      = "Data of ${local.name} is wrong, or was not verified"
  }

  alarm_name        = "${local.name}-${each.key}"
  alarm_description = "${each.value}: see which alarms are on. See docs/runbook.md"
  alarm_rule = join(" OR ", [
    for name, alarm in aws_cloudwatch_metric_alarm.this : "ALARM(\"${alarm.alarm_name}\")" if local.alarms[name].group == each.key
  ])
  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}

resource "aws_budgets_budget" "monthly" {
  name         = local.name
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  cost_filter {
    name   = "TagKeyValue"
    values = [join("$", ["user:Environment", var.environment])]
  }

  dynamic "notification" {
    for_each = toset(["ACTUAL", "FORECASTED"])

    content {
      comparison_operator       = "GREATER_THAN"
      threshold                 = 100
      threshold_type            = "PERCENTAGE"
      notification_type         = notification.value
      subscriber_sns_topic_arns = [aws_sns_topic.alarms.arn]
    }
  }
}
