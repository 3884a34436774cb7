import { openZone } from "../../../lib/zone/zone.ts";
import { ZONE_CASES } from "./zone_cases.ts";

/** Straight to the server that the tests share, which may check signatures. */
for (const { name, run } of ZONE_CASES) {
  Deno.test(`S3Zone, signed, ${name}`, async () => {
    const zone = openZone(`s3://tests/${crypto.randomUUID()}`, {
      s3: {
        region: "us-east-1",
        endpoint: Deno.env.get("TEST_S3_ENDPOINT"),
        accessKeyId: "test",
        secretAccessKey: "testtest",
      },
    });
    try {
      await run(zone);
    } finally {
      zone.close();
    }
  });
}
