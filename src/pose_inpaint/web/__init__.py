"""The demo: a web page on which visitors paint on a photo and have it inpainted."""
