// The order button waits for the terms; every other check is the server's.

const terms = document.getElementById("terms");
const pay = document.getElementById("pay");
const follow = () => { pay.disabled = !terms.checked; };

terms.addEventListener("change", follow);
addEventListener("pageshow", follow); // coming back, the browser restores the tick without a change event
follow();
