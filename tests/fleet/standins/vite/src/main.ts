const words: string[] = ["built", "by", "vite"];
document.querySelector("#words")!.textContent = words.join(" ");
