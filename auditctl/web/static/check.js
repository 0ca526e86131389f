// Computes the SHA-256 of a file that is dropped or chosen, so that nothing but the hash is sent.
"use strict";

const form = document.querySelector("#check-file");
const answer = document.querySelector("#answer");

/** Show a sentence in place of the answer. */
function say(text) {
  const notice = document.createElement("div");
  notice.className = "notice note";
  notice.append(Object.assign(document.createElement("p"), { textContent: text }));
  answer.replaceChildren(notice);
}

/** Ask for the export with the file's hash. */
async function check(file) {
  say(`Reading ${file.name} …`);
  try {
    const hash = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    const sha256 = [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const address = new URL(form.dataset.address, location.href);
    address.searchParams.set("sha256", sha256);
    address.searchParams.set("name", file.name.slice(0, 200));
    location.assign(address);
  } catch {
    say(`Your browser cannot read ${file.name} whole. Paste its SHA-256 below.`);
  }
}

/** Check a file; where the browser computes no hashes, as over plain HTTP, send it. */
function take(file) {
  if (crypto.subtle) {
    check(file);
    return;
  }
  const transfer = new DataTransfer();
  transfer.items.add(file);
  form.elements.file.files = transfer.files;
  form.submit();
}

form.addEventListener("submit", (event) => {
  if (!crypto.subtle) return;
  event.preventDefault();
  check(form.elements.file.files[0]);
});
form.elements.file.addEventListener("change", () => {
  if (form.elements.file.files.length) take(form.elements.file.files[0]);
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
});
