# Its messages hold no data, and with AWS's own key for SNS alarms could not
# publish.
resource "aws_sns_topic" "alarms" {
  # checkov:skip=CKV_AWS_26:see above
  name = "${local.name}-alarms"

  lifecycle {
    precondition {
      condition     = length(var.emails) + length(var.phone_numbers) > 0
      error_message = "An alarm must reach somebody: name a phone number, an e-mail address, or both."
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

# Plans go to logs, which must not show whom to call.
resource "aws_sns_topic_subscription" "email" {
  for_each = { for address in var.emails : substr(sha256(address), 0, 8) => address }

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = sensitive(each.value)
}

resource "aws_sns_topic_subscription" "sms" {
  for_each = { for number in var.phone_numbers : substr(sha256(number), 0, 8) => number }

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "sms"
  endpoint  = sensitive(each.value)
}

locals {
  freshness_seconds_max = 1800
  # The share of a function's time limit from which on its alarm rings.
  near_limit = 0.9
  # verify runs once a day, at the same hour.
  hours_between_verifications_max = 26
  # The longest pause of the others, extract's 20 minutes, and how much a run may
  # be late. An alarm that looks back as far stays on while each run finds the
  # same, and rings once.
  seconds_between_runs_max = 1500

  # Each rings by itself, so that none hides another. `values` are summed, or as
  # `join` says: an alarm is on above `threshold`, or `below` it.
  alarms = { for name, alarm in local.all_alarms : name => alarm if name != "replication" || var.replica_region != null }

  all_alarms = {
    # AWS calls a function a second time after a failure.
    errors = {
      description = "A function failed twice within 25 minutes: its log says why"
      metric      = "Errors"
      values      = local.of_functions
      threshold   = 1
      period      = local.seconds_between_runs_max
    }
    throttles = {
      description = "Functions are throttled: the account's concurrency, or what is reserved, is used up"
      metric      = "Throttles"
      values      = local.of_functions
      periods     = 3
      occurrences = 2
    }
    duration = {
      description = "A function needs nearly all of its time: give it more, or more memory"
      metric      = "Duration"
      statistic   = "Maximum"
      values      = local.of_functions
      join        = ["MAX([", ", ", "])"]
      scale       = { for name, function in module.function : name => function.timeout_s * 1000 }
      threshold   = local.near_limit
      period      = local.seconds_between_runs_max
    }
    checks = {
      description = "A stage refused a batch, since its data broke a rule: its log says which"
      metric      = "ChecksFailed"
      values      = local.of_stages
      period      = local.seconds_between_runs_max
    }
    quarantine = {
      description = "Rows of the source can't be read and are in quarantine"
      metric      = "QuarantinedRows"
      values      = { transform = { Stage = "transform" } }
      period      = local.seconds_between_runs_max
    }
    freshness = {
      description = "The warehouse is over 30 minutes behind the source"
      metric      = "FreshnessSeconds"
      statistic   = "Maximum"
      values      = { load = { Stage = "load" } }
      threshold   = local.freshness_seconds_max
      period      = local.seconds_between_runs_max
    }
    # Load runs every 14 minutes at least: no run for 15 means no data.
    no-data = {
      description = "No freshness was reported for 15 minutes: load does not run"
      metric      = "FreshnessSeconds"
      statistic   = "SampleCount"
      values      = { load = { Stage = "load" } }
      below       = 1
      periods     = 3
      missing     = "breaching"
    }
    not-verified = {
      description = "verify has not completed for ${local.hours_between_verifications_max} hours"
      metric      = "Differences"
      statistic   = "SampleCount"
      values      = { verify = { Stage = "verify" } }
      below       = 1
      period      = 3600
      periods     = local.hours_between_verifications_max
      missing     = "breaching"
    }
    # On until the next verification finds none.
    differences = {
      description = "verify found that the lake or the warehouse differs from the source"
      metric      = "Differences"
      values      = { verify = { Stage = "verify" } }
      missing     = "ignore"
    }
    replication = {
      description = "Objects of the ingestion bucket were not copied to its replica"
      metric      = "OperationsFailedReplication"
      namespace   = "AWS/S3"
      values = { all = {
        SourceBucket      = local.buckets.ingestion.id
        DestinationBucket = local.replica_bucket
        RuleId            = local.replication_rule
      } }
    }
  }
  of_functions = { for name, function in module.function : name => { FunctionName = function.name } }
  of_stages    = { for stage in ["extract", "transform", "load"] : stage => { Stage = stage } }
}

# By default any occurrence within the period sets off the alarm. Nothing is
# sent when it ends: an SMS for each end would use up what AWS delivers a month.
resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "${each.value.description}. See docs/runbook.md"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  comparison_operator = can(each.value.below) ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = try(each.value.below, each.value.threshold, 0)
  evaluation_periods  = try(each.value.periods, 1)
  datapoints_to_alarm = try(each.value.occurrences, each.value.periods, 1)
  treat_missing_data  = try(each.value.missing, "notBreaching")

  # One metric alone needs no expression: only so a lack of data is one.
  metric_name = length(each.value.values) > 1 ? null : each.value.metric
  namespace   = length(each.value.values) > 1 ? null : try(each.value.namespace, local.metrics_namespace)
  dimensions  = length(each.value.values) > 1 ? null : one(values(each.value.values))
  statistic   = length(each.value.values) > 1 ? null : try(each.value.statistic, "Sum")
  period      = length(each.value.values) > 1 ? null : try(each.value.period, 300)

  dynamic "metric_query" {
    for_each = { for name, dimensions in each.value.values : name => dimensions if length(each.value.values) > 1 }

    content {
      id = metric_query.key

      metric {
        namespace   = can(metric_query.value.FunctionName) ? "AWS/Lambda" : local.metrics_namespace
        metric_name = each.value.metric
        dimensions  = metric_query.value
        stat        = try(each.value.statistic, "Sum")
        period      = try(each.value.period, 300)
      }
    }
  }

  dynamic "metric_query" {
    for_each = length(each.value.values) > 1 ? [try(each.value.join, ["SUM([", ", ", "])"])] : []

    content {
      id          = "all"
      label       = each.value.metric
      return_data = true
      expression = join("", [
        metric_query.value[0],
        join(metric_query.value[1], [
          for name in keys(each.value.values) : "FILL(${name}, 0) / ${try(each.value.scale[name], 1)}"
        ]),
        metric_query.value[2],
      ])
    }
  }
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
