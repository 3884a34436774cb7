output "cluster" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.this.name
}

output "task_definition" {
  description = "ARN of the task definition."
  value       = aws_ecs_task_definition.this.arn
}

output "family" {
  description = "Name of the task definition."
  value       = aws_ecs_task_definition.this.family
}
