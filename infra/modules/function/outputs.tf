output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "timeout_s" {
  description = "Time of one run, in seconds."
  value       = aws_lambda_function.this.timeout
}

output "concurrency" {
  description = "Concurrent runs reserved for it; -1: none are."
  value       = aws_lambda_function.this.reserved_concurrent_executions
}

output "environment" {
  description = "Environment variables of the function."
  value       = var.environment
}

output "statements" {
  description = "What the function's role may do."
  value       = local.statements
}
