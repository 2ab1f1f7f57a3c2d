import { preference } from "../app/preference.ts";
import { addressOf } from "../base.ts";

/** Whether this browser is told when the agent is done or asks; its own permission comes on top. */
export const wantsNotifications = preference("notify", "no");

export function canNotify(): boolean {
  return "Notification" in globalThis;
}

/** Asks the browser for its permission; true if it was given. */
export async function askToNotify(): Promise<boolean> {
  return canNotify() && (await Notification.requestPermission()) === "granted";
}

/** Tells someone who looks elsewhere. Nothing of the conversation but `body` is shown. */
export function notify(session: string, body: string): void {
  if (
    wantsNotifications.value !== "yes" ||
    !canNotify() ||
    Notification.permission !== "granted" ||
    (document.visibilityState === "visible" && document.hasFocus())
  )
    return;
  const options = {
    body,
    tag: `nest-${session}`,
    icon: addressOf("icon-192.png").href,
    data: { session },
  };
  const title = `Nest · ${session}`;
  // Phones know notifications of service workers only.
  void navigator.serviceWorker?.getRegistration(addressOf("").pathname).then((registration) => {
    if (registration !== undefined) return registration.showNotification(title, options);
    void new Notification(title, options);
    return undefined;
  });
}
