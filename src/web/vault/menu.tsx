import { useSignal } from "@preact/signals";
import type { IconNode } from "lucide";
import { useEffect, useId, useRef } from "preact/hooks";
import { Icon } from "../view/icon.tsx";

export interface MenuItem {
  readonly title: string;
  readonly run: () => void;
}

/** A button that opens a few things to do; arrows choose, Escape closes. */
export function Menu({
  icon,
  label,
  items,
  isSmall = false,
  tabIndex,
}: {
  icon: IconNode;
  label: string;
  items: readonly MenuItem[];
  isSmall?: boolean;
  tabIndex?: number;
}) {
  const isOpen = useSignal(false);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const close = () => {
    isOpen.value = false;
    button.current?.focus();
  };
  return (
    <>
      <button
        ref={button}
        class={isSmall ? "icon-button small" : "icon-button"}
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={isOpen.value}
        aria-controls={isOpen.value ? id : undefined}
        {...(tabIndex !== undefined && { tabIndex })}
        onClick={(event) => {
          event.stopPropagation();
          isOpen.value = !isOpen.value;
        }}
      >
        <Icon of={icon} size={16} />
      </button>
      {isOpen.value && (
        <MenuItems id={id} label={label} items={items} of={button.current} onClose={close} />
      )}
    </>
  );
}

function MenuItems({
  id,
  label,
  items,
  of,
  onClose,
}: {
  id: string;
  label: string;
  items: readonly MenuItem[];
  of: HTMLElement | null;
  onClose: () => void;
}) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const menu = list.current;
    if (menu === null || of === null) return;
    // Over everything, whatever is cut off around it.
    menu.showPopover();
    const box = of.getBoundingClientRect();
    const { width, height } = menu.getBoundingClientRect();
    menu.style.left = `${Math.max(8, Math.min(box.right - width, innerWidth - width - 8))}px`;
    menu.style.top = `${box.bottom + height + 8 > innerHeight ? box.top - height - 4 : box.bottom + 4}px`;
    (menu.firstElementChild as HTMLElement | null)?.focus();
  }, []);
  return (
    <div
      ref={list}
      id={id}
      class="menu"
      role="menu"
      aria-label={label}
      popover="auto"
      onClick={(event) => event.stopPropagation()}
      onToggle={(event) => {
        if (event.newState === "closed") onClose();
      }}
      onKeyDown={(event) => {
        event.stopPropagation();
        const all = [...event.currentTarget.children] as HTMLElement[];
        const at = all.indexOf(document.activeElement as HTMLElement);
        if (event.key === "ArrowDown") all[(at + 1) % all.length]?.focus();
        else if (event.key === "ArrowUp") all.at(at - 1)?.focus();
        else if (event.key === "Escape" || event.key === "Tab") onClose();
        else return;
        event.preventDefault();
      }}
    >
      {items.map(({ title, run }) => (
        <button
          key={title}
          class="menu-item"
          role="menuitem"
          tabIndex={-1}
          onClick={() => {
            onClose();
            run();
          }}
        >
          {title}
        </button>
      ))}
    </div>
  );
}
