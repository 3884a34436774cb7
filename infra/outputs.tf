output "put_secrets" {
  description = "Commands to run next, which give the functions their databases."
  value = [
    for name, secret in aws_secretsmanager_secret.settings :
    "aws secretsmanager put-secret-value --region ${var.region} --secret-id ${secret.name} --secret-string file://${name}.secret"
  ]
}

output "zones" {
  description = "INGESTION_URL and PROCESSED_URL, for a first load by `./totesys pipeline`."
  value = {
    INGESTION_URL = "s3://${local.buckets.ingestion.id}"
    PROCESSED_URL = "s3://${local.buckets.processed.id}"
  }
}

output "lake" {
  description = "What analysts attach in DuckDB."
  value       = "s3://${local.buckets.processed.id}/lake.duckdb"
}

output "functions" {
  description = "Names of the functions."
  value       = { for name, function in module.function : name => function.name }
}

output "functions_security_group" {
  description = "Security group that the databases' own groups must admit; null: no network."
  value       = one([for group in aws_security_group.functions : group.id])
}

output "warehouse" {
  description = "Where the warehouse in RDS is, and the secret with its administrator's user and password; null: not chosen."
  value = one([for instance in aws_db_instance.warehouse : {
    host      = instance.address
    port      = instance.port
    database  = instance.db_name
    secret_id = try(instance.master_user_secret[0].secret_arn, null)
  }])
}

output "warehouse_security_group" {
  description = "Security group of the warehouse in RDS; null: not chosen."
  value       = one([for group in aws_security_group.warehouse : group.id])
}

output "alarm_topic" {
  description = "Topic that the alarms notify."
  value       = aws_sns_topic.alarms.arn
}

output "dashboard_url" {
  description = "URL of the live dashboard; null: not chosen."
  value       = one([for url in aws_lambda_function_url.dashboard : url.function_url])
}

output "dashboard" {
  description = "URL of the CloudWatch dashboard."
  value       = "https://${var.region}.console.aws.amazon.com/cloudwatch/home?region=${var.region}#dashboards/dashboard/${aws_cloudwatch_dashboard.this.dashboard_name}"
}

output "github_role" {
  description = "AWS_ROLE_ARN of the GitHub environment."
  value       = one([for role in aws_iam_role.github : role.arn])
}

output "github_plan_role" {
  description = "PLAN_ROLE_ARN of the GitHub repository."
  value       = one([for role in aws_iam_role.plan : role.arn])
}

output "secrets" {
  description = "ARNs of the secrets, by name."
  value       = { for name, secret in aws_secretsmanager_secret.settings : name => secret.arn }
}

output "permissions" {
  description = "What each role may do."
  value = merge(
    {
      for name, function in module.function : name =>
      concat(function.statements, var.vpc == null ? [] : local.network_statements)
    },
    { scheduler = local.scheduler_statements },
    { for name, statements in { github = local.deploy_statements } : name => statements if var.github != null },
  )
}
