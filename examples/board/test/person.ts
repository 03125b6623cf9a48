/** Someone who uses the board, over HTTP and a socket. */
import { Wire } from "./wire.ts";

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the app says; the test says what it expects.
  body: any;
}

type Headers_ = Record<string, string>;

export async function request(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Headers_ = {},
): Promise<Answer> {
  const json = body === undefined ? {} : { body: JSON.stringify(body) };
  const type: Headers_ = body === undefined ? {} : { "content-type": "application/json" };
  const response = await fetch(url + path, { method, ...json, headers: { ...type, ...headers } });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text ? parse(text) : null };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

let people = 0;

export class Person {
  private constructor(
    readonly url: string,
    readonly email: string,
    readonly password: string,
    readonly token: string,
    /** The refresh cookie, as a browser would send it back. */
    readonly cookie: string,
    readonly id: string,
  ) {}

  static async signUp(url: string): Promise<Person> {
    const email = `person-${++people}@board.example`;
    const password = `correct horse ${crypto.randomUUID()}`;
    const { headers, body } = await request(url, "POST", "/api/auth/sign-up", {
      email,
      password,
      name: "Pat",
    });
    const cookie = headers.getSetCookie()[0]?.split(";")[0] ?? "";
    const me = await request(url, "GET", "/api/me", undefined, {
      authorization: `Bearer ${body.accessToken}`,
    });
    return new Person(url, email, password, body.accessToken, cookie, me.body.id);
  }

  call(method: string, path: string, body?: unknown, headers: Headers_ = {}): Promise<Answer> {
    return request(this.url, method, path, body, { authorization: `Bearer ${this.token}`, ...headers });
  }

  /** A socket that has been let in, on this host or another. */
  async connect(url = this.url, headers: Headers_ = {}): Promise<Wire> {
    const wire = await Wire.open(url, headers);
    wire.send("AUTH", { token: this.token });
    await wire.next("AUTHENTICATED");
    return wire;
  }
}
