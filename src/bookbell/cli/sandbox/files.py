"""Files to upload: real PDFs and images, small, each title with bytes of its own."""

import io
from pathlib import Path

from PIL import Image
from pypdf import PdfWriter

A4_POINTS = (595, 842)
SAMPLES = {"statement.pdf": 3, "reject-unreadable.pdf": 1, "fail.pdf": 1, "tax-forms-x3.pdf": 6}


def pdf(page_count: int, title: str) -> bytes:
    """A PDF of blank pages."""
    writer = PdfWriter()
    for _ in range(page_count):
        writer.add_blank_page(*A4_POINTS)
    writer.add_metadata({"/Title": title})
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def png(title: str) -> bytes:
    """A PNG of one colour that depends on the title."""
    colour = sum(byte * (index + 1) for index, byte in enumerate(title.encode())) % (1 << 24)
    written = io.BytesIO()
    Image.new("RGB", (64, 64), (colour >> 16, colour >> 8 & 255, colour & 255)).save(written, "PNG")
    return written.getvalue()


def write_samples(folder: Path) -> None:
    """Put the sample files of the first steps into the folder's `samples`."""
    samples = folder / "samples"
    samples.mkdir(exist_ok=True)
    for name, page_count in SAMPLES.items():
        if not (samples / name).exists():
            (samples / name).write_bytes(pdf(page_count, name))
    if not (samples / "page.png").exists():
        (samples / "page.png").write_bytes(png("page"))
