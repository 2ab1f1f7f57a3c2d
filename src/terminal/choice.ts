import {
  type Component,
  Container,
  Input,
  type SelectItem,
  SelectList,
  Text,
  type Focusable,
} from "@earendil-works/pi-tui";
import { neutralize, neutralizeLine } from "./neutralize.ts";
import type { Palette } from "./palette.ts";
import { selectTheme } from "./theme.ts";

/** Rows of a list at once. */
const MAX_ROWS = 8;

export interface ChoiceOptions {
  readonly title: string;
  readonly text?: string;
  /** Without items: a line to fill in. */
  readonly items?: readonly SelectItem[];
  readonly value?: string;
  readonly done: (value: string) => void;
  readonly cancelled: () => void;
}

/** A question above the prompt: a list to pick from, or a line to fill in. */
export class Choice extends Container implements Focusable {
  readonly #field: Component & { handleInput(data: string): void; focused?: boolean };

  constructor({ title, text, items, value, done, cancelled }: ChoiceOptions, palette: Palette) {
    super();
    this.addChild(new Text(palette.bold(neutralizeLine(title)), 1, 0));
    if (text !== undefined && text !== "") this.addChild(new Text(neutralize(text), 1, 0));
    if (items === undefined) {
      const input = new Input();
      input.setValue(neutralizeLine(value ?? ""));
      input.onSubmit = done;
      input.onEscape = cancelled;
      this.#field = input;
    } else {
      const shown = items.map((item) => ({
        value: item.value,
        label: neutralizeLine(item.label),
        ...(item.description !== undefined && { description: neutralizeLine(item.description) }),
      }));
      const list = new SelectList(shown, MAX_ROWS, selectTheme(palette));
      list.onSelect = (item) => done(item.value);
      list.onCancel = cancelled;
      this.#field = list;
    }
    this.addChild(this.#field);
    this.addChild(new Text(palette.dim("Enter chooses, Esc leaves it"), 1, 0));
  }

  get focused(): boolean {
    return this.#field.focused === true;
  }

  set focused(focused: boolean) {
    if ("focused" in this.#field) this.#field.focused = focused;
  }

  handleInput(data: string): void {
    this.#field.handleInput(data);
  }
}
