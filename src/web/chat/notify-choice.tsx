import { useSignal } from "@preact/signals";
import { askToNotify, canNotify, wantsNotifications } from "./notify.ts";

/** Whether to be told when the agent is done or asks. */
export function NotifyChoice() {
  const problem = useSignal("");
  if (!canNotify()) return null;
  return (
    <section>
      <h2>Notifications</h2>
      <label class="check">
        <input
          type="checkbox"
          checked={wantsNotifications.value === "yes"}
          onChange={async (event) => {
            const wants = event.currentTarget.checked;
            const isAllowed = wants && (await askToNotify());
            wantsNotifications.value = isAllowed ? "yes" : "no";
            problem.value =
              wants && !isAllowed
                ? "This browser does not allow it. Allow notifications for this address in its settings, then try again."
                : "";
          }}
        />
        <span>Tell me when the agent is done or asks, while I look elsewhere</span>
      </label>
      <p class="problem" role="alert">
        {problem.value}
      </p>
    </section>
  );
}
