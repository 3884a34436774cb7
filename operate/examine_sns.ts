import {
  GetSMSAttributesCommand,
  GetSMSSandboxAccountStatusCommand,
  paginateListSubscriptions,
  SNSClient,
} from "@aws-sdk/client-sns";
import { messageOf } from "../lib/errors.ts";
import type { Finding } from "./examine.ts";

/** The limit of a new AWS account, which some dozens of SMS use up. */
const SPEND_USD_MIN = 10;
const NOT_CONFIRMED = "PendingConfirmation";

/** The addresses that nobody has confirmed, of all topics of the region. */
async function unconfirmed(client: SNSClient): Promise<string[]> {
  const found: string[] = [];
  for await (const page of paginateListSubscriptions({ client }, {})) {
    for (const { SubscriptionArn, Endpoint = "" } of page.Subscriptions ?? []) {
      if (SubscriptionArn === NOT_CONFIRMED) found.push(Endpoint);
    }
  }
  return found;
}

/** Whether Amazon SNS delivers alarms to phones and mailboxes. */
export async function examineSns(region: string): Promise<Finding[]> {
  const client = new SNSClient({ region });
  try {
    const [sandbox, sms, waiting] = await Promise.all([
      client.send(new GetSMSSandboxAccountStatusCommand({})),
      client.send(
        new GetSMSAttributesCommand({ attributes: ["MonthlySpendLimit"] }),
      ),
      unconfirmed(client),
    ]);
    const limit = Number(sms.attributes?.MonthlySpendLimit ?? 1);
    return [
      sandbox.IsInSandbox === true
        ? {
          what: "SMS sandbox",
          found: "the account is in it: SMS go to verified numbers only",
          hint:
            "Verify the numbers, or ask AWS to move the account out of the sandbox: SNS, Text messaging",
        }
        : {
          what: "SMS sandbox",
          found:
            `the account is not in it in ${region}; some countries, such ` +
            "as the US, also want a registered sender (origination identity)",
        },
      {
        what: "SMS spending limit",
        found: `${limit} USD a month`,
        hint: limit >= SPEND_USD_MIN
          ? undefined
          : "Ask AWS Support to raise it: at the limit, SMS silently stop",
      },
      {
        what: "subscriptions",
        found: waiting.length === 0
          ? `all are confirmed in ${region}`
          : `not confirmed in ${region}: ${waiting.join(", ")}`,
        hint: waiting.length === 0
          ? undefined
          : "Follow the link in the mail that AWS has sent there",
      },
    ];
  } catch (error) {
    return [{
      what: "Amazon SNS",
      found: messageOf(error),
      hint:
        "Check AWS_REGION and the credentials; they need sns:GetSMSSandboxAccountStatus, sns:GetSMSAttributes and sns:ListSubscriptions",
    }];
  } finally {
    client.destroy();
  }
}
