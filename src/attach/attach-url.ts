/** The URL of `/attach` for the address of a Nest. @throws {TypeError} if it is none */
export function attachUrl(base: string): string {
  const url = new URL(base);
  if (!/^(?:https?|wss?):$/.test(url.protocol))
    throw new TypeError("expected an http or https URL");
  url.protocol = url.protocol.replace("http", "ws");
  if (!url.pathname.endsWith("/attach")) url.pathname = `${url.pathname.replace(/\/$/, "")}/attach`;
  url.search = "";
  url.hash = "";
  url.username = "";
  url.password = "";
  return url.href;
}
