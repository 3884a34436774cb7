import { Buffer } from "node:buffer";
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Logger } from "@logtape/logtape";
import type { Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { html } from "hono/html";
import { clientAddress } from "./client_address.ts";

const COOKIE = "dashboard_token";
const FORM_BYTES_MAX = 4096;
const COOKIE_SECONDS = 30 * 24 * 3600;

/** What signing in needs. */
export interface SignInOptions {
  token: string;
  /** The company's name, for the form's title. */
  name: string;
  log: Logger;
  clock: () => Date;
  /** The proxies before the server. */
  proxies: number;
}

/**
 * Requires the token for all routes that are added to the server afterwards:
 * programs send it as a bearer token or a password, browsers by a form, once in
 * 30 days, unless they sign out before. Each wrong token is logged with the
 * address that it came from.
 */
export function addSignIn(app: Hono, options: SignInOptions): void {
  const { token, name, log, clock, proxies } = options;
  const refuse = (context: Context) =>
    log.warn("refused a wrong token from {from}", {
      from: clientAddress(context, proxies),
    });
  app.post(
    "/login",
    bodyLimit({
      maxSize: FORM_BYTES_MAX,
      onError: (context) => context.text("The form is too large.", 413),
    }),
  );
  app.post("/login", async (context) => {
    const { token: given } = await context.req.parseBody().catch(() => {
      throw new RangeError("This is not the sign-in form.");
    });
    if (!isSame(String(given ?? ""), token)) {
      refuse(context);
      return context.html(
        loginPage(context, name, "That is not the token."),
        401,
      );
    }
    setCookie(context, COOKIE, cookieOf(token, secondsOf(clock())), {
      ...cookieOptions(context),
      maxAge: COOKIE_SECONDS,
    });
    // To what was asked for before.
    return context.redirect(`./${new URL(context.req.url).search}`, 303);
  });
  app.post("/logout", (context) => {
    deleteCookie(context, COOKIE, cookieOptions(context));
    return context.redirect("..", 303);
  });
  app.use(async (context, next) => {
    if (isSignedIn(context, options)) return await next();
    if (context.req.header("authorization") !== undefined) refuse(context);
    if (context.req.header("accept")?.includes("text/html")) {
      return context.html(loginPage(context, name), 401);
    }
    // In a browser this would open a password dialog: it has the form.
    const isProgram = context.req.header("sec-fetch-mode") === undefined;
    return context.text(
      "Sign in with the dashboard's token.",
      401,
      isProgram ? { "www-authenticate": 'Basic realm="dashboard"' } : {},
    );
  });
}

/** Whether a browser brings the cookie of a sign-in, which it could drop. */
export function hasCookie(context: Context): boolean {
  return getCookie(context, COOKIE) !== undefined;
}

/** Accepts Bearer and Basic (any user name) for programs, or the cookie. */
export function isSignedIn(
  context: Context,
  { token, clock }: Pick<SignInOptions, "token" | "clock">,
): boolean {
  const header = context.req.header("authorization") ?? "";
  const [, bearer] = /^Bearer (.+)$/i.exec(header) ?? [];
  const [, basic] = /^Basic ([\w+/]+={0,2})$/i.exec(header) ?? [];
  if (bearer !== undefined) return isSame(bearer, token);
  if (basic !== undefined) {
    const text = Buffer.from(basic, "base64").toString();
    return isSame(text.replace(/^[^:]*:/, ""), token);
  }
  const cookie = getCookie(context, COOKIE) ?? "";
  const age = secondsOf(clock()) - parseInt(cookie);
  return age >= 0 && age < COOKIE_SECONDS &&
    isSame(cookie, cookieOf(token, parseInt(cookie)));
}

/** How the cookie is set: it is removed under the same path only. */
function cookieOptions(context: Context) {
  return {
    httpOnly: true,
    sameSite: "Strict",
    secure: isEncrypted(context),
    // Left out, it is the folder that the browser sees, even if a proxy
    // serves the dashboard below a path of its own.
    path: "",
  } as const;
}

/** When the browser signed in, signed with the token. */
function cookieOf(token: string, seconds: number): string {
  const signature = createHmac("sha256", token).update(String(seconds));
  return `${seconds}.${signature.digest("hex")}`;
}

function secondsOf(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}

/** Whether the browser uses TLS, if only as far as a proxy. */
function isEncrypted({ req }: Context): boolean {
  return new URL(req.url).protocol === "https:" ||
    req.header("x-forwarded-proto") === "https";
}

/** Compares two texts in constant time. */
function isSame(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/**
 * The sign-in page. It is a form, since AWS renames the header that makes
 * browsers ask for a password.
 */
function loginPage({ req }: Context, name: string, problem = "") {
  const root = "../..".repeat(req.path.split("/").length - 2);
  const { search } = new URL(req.url);
  const invalid = problem === "" ? "false" : "true";
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${name}: sign in</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="${root}style.css">
  </head>
  <body>
    <main class="sign-in">
      <h1>${name}</h1>
      <form method="post" action="${root}login${search}">
        <label>Token
          <input type="password" name="token" required autofocus
            autocomplete="current-password" aria-invalid="${invalid}"
            aria-describedby="problem">
        </label>
        <p id="problem" role="alert" class="bad">${problem}</p>
        <button>Sign in</button>
      </form>
      <p class="muted">Whoever runs the dashboard has the token: it is their
        <code>DASHBOARD_TOKEN</code>.</p>
    </main>
  </body>
</html>`;
}
