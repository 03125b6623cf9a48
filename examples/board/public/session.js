// Who is signed in. The access token lives in this module's memory, where no other script and no disk finds it;
// the refresh token lives in a cookie that no script sees at all.
let token = null;
let signedOut = () => {};

export const onSignedOut = (callback) => {
  signedOut = callback;
};
export const accessToken = () => token;

// Not a secret, only a hint: without it nobody signed in here, and there is nothing to ask the server.
const HINT = "has-session";

/** True when a session from an earlier visit goes on. */
export async function resume() {
  if (!localStorage.getItem(HINT)) return false;
  let response = await renew();
  // Each refresh token works once, and another tab may have used ours just now: by then its successor is in the cookie.
  if (response.status === 401) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    response = await renew();
  }
  token = response.ok ? (await response.json()).accessToken : null;
  if (response.status === 401) localStorage.removeItem(HINT);
  return token !== null;
}

const renew = () => fetch("/api/auth/refresh", { method: "POST" });

export const signIn = (email, password) => begin("/api/auth/sign-in", { email, password });
export const signUp = (name, email, password) => begin("/api/auth/sign-up", { name, email, password });

async function begin(path, body) {
  token = (await send("POST", path, body)).accessToken;
  localStorage.setItem(HINT, "yes");
}

export async function signOut() {
  token = null;
  localStorage.removeItem(HINT);
  await fetch("/api/auth/sign-out", { method: "POST" });
}

/** An API call as whoever is signed in. A token that ran out is renewed once, behind the caller's back. */
export async function call(method, path, body) {
  try {
    return await send(method, path, body);
  } catch (error) {
    if (error.status !== 401) throw error;
    if (await resume()) return send(method, path, body);
    signedOut();
    throw error;
  }
}

async function send(method, path, body) {
  const headers = { ...(token && { authorization: `Bearer ${token}` }) };
  if (body) headers["content-type"] = "application/json";
  const response = await fetch(path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  if (response.status === 204) return undefined;
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const { message = "that did not work", code } = answer.error ?? {};
  throw Object.assign(new Error(message), { status: response.status, code });
}
