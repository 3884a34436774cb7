import { openBrowser } from "./tests/harness/browser.ts";
const browser = await openBrowser("/usr/bin/chromium");
const page = await browser.newPage({ viewport: { width: 1400, height: 1400 } });
page.on("console", (m) => console.log("console", m.type(), m.text()));
page.on("pageerror", (e) => console.log("pageerror", e));
page.on("response", (r) => {
  if (r.status() >= 400) console.log(r.status(), r.url());
});
const base = "http://127.0.0.1:8300/";
await page.goto(base);
await page.waitForTimeout(2500);
const cards = await page.evaluate(
  `[...document.querySelectorAll('[data-card]')].map(e=>e.dataset.card)`,
) as string[];
console.log(cards);
for (const c of cards) {
  await page.goto(`${base}?measure=${encodeURIComponent(c)}&period=all`);
  await page.waitForTimeout(1500);
  const t = await page.evaluate(
    "document.querySelector('main').innerText",
  ) as string;
  console.log(c, "->", t.replaceAll("\n", " | ").slice(300, 700));
  const row = page.locator("[data-chart] .row").first();
  if (await row.count()) {
    await row.click();
    await page.waitForTimeout(800);
    await row.click().catch(() => {});
    await page.waitForTimeout(800);
    const rows = page.locator("#rows[open] tbody tr");
    console.log("   rows", await rows.count());
    const first = page.locator(
      "#rows[open] tbody tr a, #rows[open] tbody tr button",
    ).first();
    if (await first.count()) {
      await first.click();
      await page.waitForTimeout(800);
    }
    await page.keyboard.press("Escape");
  }
}
for (const v of ["changes", "pipeline"]) {
  await page.goto(`${base}?view=${v}`);
  await page.waitForTimeout(2000);
  console.log(
    ((await page.evaluate(
      "document.querySelector('main').innerText",
    )) as string).slice(0, 1200),
  );
}
await page.screenshot({ path: "/tmp/ram/wD/d2.png", fullPage: true });
await browser.close();
