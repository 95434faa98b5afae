// The login of this tab, the same on all pages. Each tab has its own login, so that two people can use two tabs.

const KEY = "rookery-login";

async function post(path, payload) {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(`/v1${path}`, { method: "POST", headers, body: JSON.stringify(payload) });
  const answer = await response.json();
  if (!answer.ok) throw answer.error;
  return answer.data;
}

export function current() {
  return JSON.parse(sessionStorage.getItem(KEY));
}

function store(login) {
  sessionStorage.setItem(KEY, JSON.stringify(login));
  return login;
}

export async function logIn(username, password) {
  return store(await post("/auth/login", { login: username, password }));
}

export async function register(username, password) {
  return store(await post("/auth/register", { username, password, email: `${username}@rookery.example` }));
}

/** Gets a new access token, before or after the old one expires. */
export async function refresh() {
  const { refresh_token } = current();
  return store({ ...current(), ...(await post("/auth/refresh", { refresh_token })) });
}

export async function logOut() {
  const { refresh_token } = current();
  sessionStorage.removeItem(KEY);
  await post("/auth/logout", { refresh_token });
}

/** Drops the login of this tab, without telling the server. */
export function forget() {
  sessionStorage.removeItem(KEY);
}
