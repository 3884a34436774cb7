locals {
  stages = ["extract", "transform", "load"]

  # Each graph shows a metric, for every stage that has it.
  graphs = [
    { title = "Behind the source, s", metric = "LagSeconds", stat = "Maximum", stages = local.stages },
    { title = "Rows", metric = "Rows", stat = "Sum", stages = local.stages },
    { title = "Bytes", metric = "Bytes", stat = "Sum", stages = local.stages },
    { title = "Duration, ms", metric = "DurationMs", stat = "Maximum", stages = keys(local.functions) },
    { title = "Batches", metric = "Batches", stat = "Sum", stages = local.stages },
    { title = "Differences found", metric = "Differences", stat = "Sum", stages = ["verify"] },
  ]
  graph_width  = 12
  graph_height = 6
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = local.name

  dashboard_body = jsonencode({
    widgets = concat(
      [
        {
          type   = "alarm"
          x      = 0
          y      = 0
          width  = 24
          height = local.graph_height
          properties = {
            title  = "Alarms"
            alarms = [for alarm in aws_cloudwatch_metric_alarm.this : alarm.arn]
          }
        },
      ],
      [
        for index, graph in local.graphs : {
          type   = "metric"
          x      = index % 2 * local.graph_width
          y      = (1 + floor(index / 2)) * local.graph_height
          width  = local.graph_width
          height = local.graph_height
          properties = {
            title   = graph.title
            region  = var.region
            period  = 300
            stat    = graph.stat
            metrics = [for stage in graph.stages : [local.metrics_namespace, graph.metric, "Stage", stage]]
          }
        }
      ],
    )
  })
}
