// The server's JSON. Errors are thrown with the server's own words.

export class ApiError extends Error {
  constructor(status, data) {
    super(data.error);
    this.status = status;
    this.data = data;
  }
}

export function get(path) {
  return ask(path, { headers: { accept: "application/json" } });
}

export function post(path, data) {
  const token = document.querySelector("meta[name=morphene-token]").content;
  const headers = { "content-type": "application/json", "x-morphene-token": token };
  return ask(path, { method: "POST", headers, body: JSON.stringify(data) });
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    const text = "The listening room does not answer: is `morphene listen` still running?";
    throw new ApiError(0, { error: `${text} What you wrote is kept.` });
  }
  const data = await response.json().catch(() => ({ error: `The server failed (${response.status}).` }));
  if (!response.ok) throw new ApiError(response.status, data);
  return data;
}

/** Return the address of part of an instrument. */
export function place(slug, ...parts) {
  return ["/instruments", slug, ...parts].map((part, i) => (i ? encodeURIComponent(part) : part)).join("/");
}
