"""The encoders that are known by name, one row each."""

from __future__ import annotations

from typing import Any

from clip_smu.encoders.card import EncoderCard

_HALF = (127.5, 127.5, 127.5)
_CLIP_MEAN = (0.48145466 * 255, 0.4578275 * 255, 0.40821073 * 255)
_CLIP_STD = (0.26862954 * 255, 0.26130258 * 255, 0.27577711 * 255)


def _aligned(name: str, family: str, **more: Any) -> EncoderCard:
    """An encoder of 512 numbers from a face aligned by five points, RGB from -1 to 1, but for what ``more`` says."""
    usual: dict[str, Any] = {
        "dim": 512,
        "input_size": (112, 112),
        "channels": "RGB",
        "mean": _HALF,
        "std": _HALF,
        "alignment": "five-point-112",
        "normalised": False,
        "licence_code": "MIT",
        "sha256": "",
    }
    return EncoderCard(name=name, family=family, **{**usual, **more})


def _adaface(depth: int, sha256: str) -> EncoderCard:
    released = f"https://github.com/yakhyo/adaface-onnx/releases/download/weights/adaface_ir_{depth}.onnx"
    return _aligned(
        f"adaface-ir{depth}",
        f"AdaFace IR-{depth}",
        channels="BGR",
        normalised=True,
        licence_weights="MIT as released; the licences of the training data (web faces) are for research",
        sources=(
            *((released,) if sha256 else ()),
            "checkpoint: github.com/mk-minchul/AdaFace (Lightning .ckpt)",
            f"checkpoint: huggingface.co/minchul/cvlface_adaface_ir{depth}_* (safetensors)",
        ),
        sha256=sha256,
        paper="Kim, Jain & Liu, AdaFace: Quality Adaptive Margin for Face Recognition, CVPR 2022",
        fit="adaface",
        filename=f"adaface_ir_{depth}.onnx",
    )


def _clip(patch: int, digest: str) -> EncoderCard:
    return _aligned(
        f"clip-vit-b{patch}",
        f"CLIP ViT-B/{patch}, image tower, on aligned faces",
        input_size=(224, 224),
        mean=_CLIP_MEAN,
        std=_CLIP_STD,
        licence_weights="MIT; CLIP's model card calls facial recognition and surveillance out of scope",
        sources=(f"https://openaipublic.azureedge.net/clip/models/{digest}/ViT-B-{patch}.pt",),
        paper="Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021",
        filename=f"clip-vit-b{patch}.onnx",
    )


def _arcface(name: str, family: str, file: str, sha256: str) -> EncoderCard:
    return _aligned(
        name,
        family,
        licence_weights="InsightFace's: non-commercial research only",
        sources=(f"https://github.com/yakhyo/uniface/releases/download/weights/{file}",),
        sha256=sha256,
        paper="Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR 2019",
        filename=file,
        restricted=True,
    )


CARDS: tuple[EncoderCard, ...] = (
    EncoderCard(
        name="dlib",
        family="dlib ResNet-29 (the templates of the face_recognition library)",
        dim=128,
        input_size=(150, 150),
        channels="RGB",
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        alignment="dlib-chip",
        normalised=False,
        licence_code="BSL-1.0",
        licence_weights="CC0-1.0",
        sources=("pypi:face_recognition_models==0.3.0/dlib_face_recognition_resnet_model_v1.dat",),
        sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        paper="King, Dlib-ml: A Machine Learning Toolkit, JMLR 2009; blog.dlib.net 2017-02 (99.38 % on LFW)",
    ),
    _adaface(18, "6b6a35772fb636cdd4fa86520c1a259d0c41472a76f70f802b351837a00d9870"),
    _adaface(34, ""),
    _adaface(50, "9c0ae385d7362323c92d218de598d32e52a9130b78faac6a8a924091aca62c0b"),
    _adaface(101, "f2eb07d03de0af560a82e1214df799fec5e09375d43521e2868f9dc387e5a43e"),
    _aligned(
        "swinface",
        "SwinFace (Swin-T, face recognition and 42 face analysis heads)",
        licence_weights="MIT as released; trained on MS1MV2, whose licence is for research",
        sources=(
            "checkpoint: github.com/lxq1000/SwinFace (checkpoint_step_79999_gpu_0.pt)",
            "checkpoint: drive.google.com/drive/folders/1NjVN3Kp_Tmwt17hWCIWgHpuWzkHYaman",
        ),
        paper="Qin et al., SwinFace: A Multi-task Transformer for Face Recognition and Analysis, TCSVT 2024",
        filename="swinface.onnx",
    ),
    _clip(32, "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"),
    _clip(16, "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"),
    _arcface(
        "arcface-mbf",
        "ArcFace MobileFaceNet w600k_mbf (InsightFace)",
        "w600k_mbf.onnx",
        "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f",
    ),
    _arcface(
        "arcface-r50",
        "ArcFace ResNet-50 w600k_r50 (InsightFace)",
        "w600k_r50.onnx",
        "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
    ),
)
