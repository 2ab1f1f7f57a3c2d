import { useSignal } from "@preact/signals";
import { ChevronDown } from "lucide";
import { useId } from "preact/hooks";
import { Icon } from "../view/icon.tsx";
import type { Conversation, Model } from "./conversation.ts";

/** Who answers, how hard it thinks, how full its memory is, and what it cost. */
export function ComposerFoot({ of: conversation }: { of: Conversation }) {
  const { contextPercent, cost } = conversation.usage.value;
  return (
    <div class="foot">
      <ModelChoice of={conversation} />
      {[...conversation.statuses.value].map(([key, text]) => (
        <span key={key} class="ellipsis">
          {text}
        </span>
      ))}
      <span class="composer-space" />
      {contextPercent !== undefined && (
        <span title="How full the model's memory of this conversation is">
          {contextPercent < 1 ? "under 1" : Math.round(contextPercent)} % context
        </span>
      )}
      {cost > 0 && (
        <span title="What this conversation has cost">${cost.toFixed(cost < 1 ? 3 : 2)}</span>
      )}
    </div>
  );
}

function ModelChoice({ of: conversation }: { of: Conversation }) {
  const models = useSignal<readonly Model[] | undefined>(undefined);
  const levels = useSignal<readonly string[]>([]);
  const isOpen = useSignal(false);
  const id = useId();
  const model = conversation.model.value;
  const level = conversation.thinkingLevel.value;
  async function open() {
    isOpen.value = !isOpen.value;
    if (!isOpen.value) return;
    [models.value, levels.value] = await Promise.all([
      conversation.models(),
      conversation.thinkingLevels(),
    ]);
  }
  if (model === undefined) return null;
  const key = ({ provider, id: name }: Model) => `${provider}/${name}`;
  return (
    <div
      class="model"
      onKeyDown={(event) => {
        if (event.key !== "Escape" || !isOpen.value) return;
        event.stopPropagation();
        isOpen.value = false;
      }}
    >
      <button
        class="model-button"
        aria-expanded={isOpen.value}
        aria-controls={id}
        onClick={() => void open()}
      >
        {conversation.isScripted.value ? (
          <span
            class="scripted ellipsis"
            title="Give Nest a key, for instance ANTHROPIC_API_KEY, for a real model"
          >
            Scripted answers, no model
          </span>
        ) : (
          <span class="ellipsis">{model.name}</span>
        )}
        {level !== "" && level !== "off" && <span>· thinks {level}</span>}
        <Icon of={ChevronDown} size={13} />
      </button>
      {isOpen.value && (
        <div id={id} class="model-panel">
          <label class="model-row">
            <span>Model</span>
            <select
              class="input"
              value={key(model)}
              onChange={(event) => {
                const chosen = models.value?.find((one) => key(one) === event.currentTarget.value);
                if (chosen !== undefined) void conversation.setModel(chosen);
              }}
            >
              {(models.value ?? [model]).map((one) => (
                <option key={key(one)} value={key(one)} selected={key(one) === key(model)}>
                  {one.name} ({one.provider})
                </option>
              ))}
            </select>
          </label>
          {levels.value.length > 1 && (
            <label class="model-row">
              <span>Thinking</span>
              <select
                class="input"
                value={level}
                onChange={(event) => void conversation.setThinkingLevel(event.currentTarget.value)}
              >
                {levels.value.map((one) => (
                  <option key={one} value={one} selected={one === level}>
                    {one}
                  </option>
                ))}
              </select>
            </label>
          )}
        </div>
      )}
    </div>
  );
}
