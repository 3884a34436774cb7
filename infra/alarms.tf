resource "aws_sns_topic" "alarms" {
  name              = "${local.name}-alarms"
  kms_master_key_id = aws_kms_key.alarms.id
}

# AWS's own key for SNS would not let alarms and budgets publish.
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
  # Of a function's time, from where on it is called near.
  near_limit = 0.9

  of_function = merge([
    for name, function in module.function : {
      "${name}-errors" = {
        description = "${name} failed, and so did its next try: read its log"
        namespace   = "AWS/Lambda"
        metric      = "Errors"
        statistic   = "Sum"
        dimensions  = { FunctionName = function.name }
        threshold   = 0
        missing     = "notBreaching"
      }
      "${name}-throttles" = {
        description = "${name} was not let run: the account's concurrency is used up"
        namespace   = "AWS/Lambda"
        metric      = "Throttles"
        statistic   = "Sum"
        dimensions  = { FunctionName = function.name }
        threshold   = 0
        missing     = "notBreaching"
      }
      "${name}-duration" = {
        description = "${name} needs nearly all of its time: give it more, or more memory"
        namespace   = "AWS/Lambda"
        metric      = "Duration"
        statistic   = "Maximum"
        dimensions  = { FunctionName = function.name }
        threshold   = function.timeout_s * 1000 * local.near_limit
        missing     = "notBreaching"
      }
    }
  ]...)

  of_data = {
    freshness = {
      description = "The warehouse is over 30 minutes behind the source"
      namespace   = local.metrics_namespace
      metric      = "FreshnessSeconds"
      statistic   = "Maximum"
      dimensions  = { Stage = "load" }
      threshold   = local.freshness_seconds_max
      missing     = "breaching"
    }
    checks = {
      description = "Data broke a rule of sql/checks: the batch is not loaded"
      namespace   = local.metrics_namespace
      metric      = "ChecksFailed"
      statistic   = "Sum"
      dimensions  = { Stage = "load" }
      threshold   = 0
      missing     = "notBreaching"
    }
    quarantine = {
      description = "Rows of the source can't be read and were set aside"
      namespace   = local.metrics_namespace
      metric      = "QuarantinedRows"
      statistic   = "Sum"
      dimensions  = { Stage = "transform" }
      threshold   = 0
      missing     = "notBreaching"
    }
    differences = {
      description = "verify found the lake or the warehouse otherwise than the source"
      namespace   = local.metrics_namespace
      metric      = "Differences"
      statistic   = "Sum"
      dimensions  = { Stage = "verify" }
      threshold   = 0
      missing     = "notBreaching"
    }
  }

  ringing = merge(local.of_function, local.of_data)
}

# None of these rings by itself: the composite does, once for one failure.
resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.ringing

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "${each.value.description}. See docs/runbook.md"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = 300
  # Load runs each five minutes: none for fifteen is no data at all.
  evaluation_periods  = each.value.missing == "breaching" ? 3 : 1
  datapoints_to_alarm = each.value.missing == "breaching" ? 3 : 1
  treat_missing_data  = each.value.missing
}

# A trigger that was lost is harmless: this one is looked at, and never rings.
resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${local.name}-dead-letters"
  alarm_description   = "Triggers came to nothing; if nothing else rings, later ones did their work. See docs/runbook.md"
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
  alarm_name        = local.name
  alarm_description = "Something of ${local.name} is wrong: the alarms that are on say what. See docs/runbook.md"
  alarm_rule        = join(" OR ", [for alarm in aws_cloudwatch_metric_alarm.this : "ALARM(\"${alarm.alarm_name}\")"])
  alarm_actions     = [aws_sns_topic.alarms.arn]
  ok_actions        = [aws_sns_topic.alarms.arn]
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
